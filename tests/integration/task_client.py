"""Somebody who creates tasks and looks at what becomes of them, whichever process queue and worker are in."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import slugid
from twisted.internet import reactor

from tcworker.client.http import HTTP, Answer
from tcworker.client.services import Queue, Service
from tcworker.interfaces import JSON, Credentials
from tcworker.waiting import pause
from tests.definitions import definition
from tests.verdicts import read_verdict

S = TypeVar("S", bound=Service)

RESOLVED = ("completed", "failed", "exception")


@dataclass(frozen=True)
class Outcome:
    """What the world sees of a run that is over.

    @ivar resolution: C{completed}, C{failed}, or C{exception/} and the reason.
    @ivar log: as published, empty if it was not.
    @ivar artifacts: all that are listed, by their names.
    @ivar runs: those of the task, as the queue has them.
    @ivar verdict: why it was not completed, C{None} if that was not published.
    """

    task_id: str
    resolution: str
    log: str
    artifacts: Mapping[str, JSON]
    runs: Sequence[JSON]
    verdict: JSON = None

    @property
    def lines(self) -> Sequence[str]:
        """The log without the times that lines of the worker begin with."""
        return [_untimed(line) for line in self.log.splitlines()]

    @property
    def errors(self) -> Sequence[str]:
        """What the log says is wrong, in the form that Treeherder looks for."""
        mark = "[taskcluster:error] "
        return [line.removeprefix(mark) for line in self.log.splitlines() if line.startswith(mark)]


def _untimed(line: str) -> str:
    start, end, text = line.partition("] ")
    return f"{start.rsplit(' ', 1)[0]}{end}{text}" if start.startswith("[taskcluster") else line


class TaskClient:
    """Creates tasks for one queue.

    @param root: a worker's settings by which root calls the Taskcluster.
    @param patience: how long it waits for anything, in seconds.
    """

    def __init__(self, http: HTTP, root: Mapping[str, str], task_queue_id: str, patience: float = 45) -> None:
        self._http = http
        self._credentials = Credentials.from_json(root)
        self._root_url = root["rootURL"]
        self._task_queue_id = task_queue_id
        self._patience = patience
        self.queue = self.service(Queue)

    def service(self, kind: type[S]) -> S:
        """Another service of the same Taskcluster."""
        return kind(self._http, self._root_url, lambda: self._credentials, reactor)

    async def create(self, payload: JSON, **more: Any) -> str:
        """Create a task, and give its id."""
        task_id = str(slugid.nice())
        await self.queue.create_task(task_id, definition(self._task_queue_id, payload, **{"retries": 0, **more}))
        return task_id

    async def state(self, task_id: str) -> str:
        """Give the state of a task."""
        return str((await self.queue.status(task_id))["status"]["state"])

    async def until(self, task_id: str, *states: str) -> Sequence[JSON]:
        """Wait until the last run of a task is in one of these states; give all of them."""
        end = reactor.seconds() + self._patience
        while True:
            runs: Sequence[JSON] = (await self.queue.status(task_id))["status"]["runs"]
            if runs and runs[-1]["state"] in states:
                return runs
            if reactor.seconds() > end:
                raise AssertionError(f"no run of {task_id} is {' or '.join(states)} in {self._patience} s: {runs}")
            await pause(reactor, 0.02)

    async def until_resolved(self, task_id: str) -> Sequence[JSON]:
        """Wait until a task is over; give its runs."""
        return await self.until(task_id, *RESOLVED)

    async def outcome(self, task_id: str) -> Outcome:
        """Wait until a task is over, and give what is to be seen of its last run."""
        return await self.seen(task_id, await self.until_resolved(task_id))

    async def seen(self, task_id: str, runs: Sequence[JSON], run_id: int = -1) -> Outcome:
        """Give what is to be seen of one run of a task that has these."""
        run = runs[run_id]
        state, reason = run["state"], run["reasonResolved"]
        listed = (await self.queue.list_artifacts(task_id, run["runId"]))["artifacts"]
        artifacts = {artifact["name"]: artifact for artifact in listed}
        backing = [name for name in artifacts if "backing" in name]
        log = await self.content(task_id, run["runId"], backing[0]) if backing else b""
        resolution = f"{state}/{reason}" if state == "exception" else state
        verdict = await self._verdict(task_id, run["runId"], artifacts)
        return Outcome(task_id, resolution, log.decode(errors="surrogateescape"), artifacts, runs, verdict)

    async def _verdict(self, task_id: str, run_id: int, artifacts: Mapping[str, JSON]) -> JSON:
        """Whichever run it is of, it is what docs/verdict.md says."""
        name = next((name for name in artifacts if name.endswith("/verdict.json")), None)
        return None if name is None else read_verdict(await self.content(task_id, run_id, name))

    async def content(self, task_id: str, run_id: int, name: str) -> bytes:
        """The content of a public artifact, unpacked, as a browser gets it; raises C{AssertionError} if it does not."""
        pieces: list[bytes] = []
        answer = await self.download(task_id, run_id, name, pieces.append)
        assert answer.status == 200, answer
        content = b"".join(pieces)
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content

    async def download(self, task_id: str, run_id: int, name: str, write: Callable[[bytes], None]) -> Answer:
        """Get a public artifact as it is stored."""
        url = f"{self._root_url}/api/queue/v1/task/{task_id}/runs/{run_id}/artifacts/{quote(name)}"
        while (answer := await self._http.request("GET", url)).status == 303:
            url = answer.headers["location"]
            if "/storage/" in url:
                return await self._http.download(url, write)
        return answer
