"""Brings what tasks have published onto the disk, over HTTP as anybody would."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import BinaryIO

from tcworker.client.http import HTTP
from tcworker.client.services import Queue
from tcworker.errors import TaskclusterError
from tcworker.interfaces import JSON
from tcworker.waiting import Threads


@dataclass
class Fetched:
    """What became of a run's artifacts.

    @ivar files: how many are on the disk now.
    @ivar problems: a line for each of the others.
    """

    files: int = 0
    problems: list[str] = field(default_factory=list)


class Downloads:
    """Downloads all artifacts of runs.

    @param queue: signs as somebody who may have all artifacts.
    """

    def __init__(self, http: HTTP, queue: Queue, threads: Threads) -> None:
        self._http = http
        self._queue = queue
        self._threads = threads

    async def fetch(self, task_id: str, run_id: int, folder: str) -> Fetched:
        """Write all artifacts of a run into a folder, by their names. Raises L{TaskclusterError}."""
        fetched = Fetched()
        async for artifact in self._list(task_id, run_id):
            name = artifact["name"]
            problem = await self._fetch_one(task_id, run_id, name, folder)
            if problem is None:
                fetched.files += 1
            else:
                fetched.problems.append(f"{name}: {problem}")
        return fetched

    async def _list(self, task_id: str, run_id: int) -> AsyncIterator[JSON]:
        query: dict[str, str] = {}
        while True:
            page = await self._queue.list_artifacts(task_id, run_id, **query)
            for artifact in page["artifacts"]:
                yield artifact
            if not page.get("continuationToken"):
                return
            query = {"continuation_token": page["continuationToken"]}

    async def _fetch_one(self, task_id: str, run_id: int, name: str, folder: str) -> str | None:
        """Fetch one artifact; give what was wrong, if anything was."""
        path = _path(folder, name)
        # A task chose the name, and what it names shall not overwrite files of the one who looks at it.
        if path is None:
            return "is not a name that a file can have"
        content = await self._queue.artifact(task_id, run_id, name)
        if content["storageType"] == "error":
            return f"{content['reason']}: {content['message']}"
        if content["storageType"] == "reference":
            # Fetching it would go to an address that a task chose, with whatever rights this machine has there.
            return f"is at {content['url']}"
        try:
            return await self._download(content["url"], path)
        except OSError as error:
            # For one: an artifact has the name of what is a folder for another one.
            return f"{path}: {error.strerror}"

    async def _download(self, url: str, path: str) -> str | None:
        file = await self._threads.run(_open, path)
        try:
            # A piece is written in the reactor: it is small, and goes to the cache of the kernel.
            answer = await self._http.download(url, lambda piece: _write(file, piece))
        except TaskclusterError as error:
            return str(error)
        finally:
            await self._threads.run(file.close)
        return None if answer.status == 200 else f"the server answered {answer.status}"


def _open(path: str) -> BinaryIO:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return open(path, "wb")


def _write(file: BinaryIO, piece: bytes) -> None:
    file.write(piece)


def _path(folder: str, name: str) -> str | None:
    """Where an artifact goes; C{None} for a name that would lead out of the folder."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return None
    return os.path.join(folder, *parts)
