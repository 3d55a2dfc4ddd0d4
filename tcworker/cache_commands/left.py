"""The caches of a worker that does not run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from twisted.internet.defer import Deferred

from tcworker.cache.folders import Folder, Folders
from tcworker.cache.rows import Row, megabytes
from tcworker.cache.table import StateTable
from tcworker.config import Config
from tcworker.control.caches import CacheOrders, Caches
from tcworker.control.orders import Order
from tcworker.errors import ConfigError, Fault
from tcworker.interfaces import JSON
from tcworker.state import StateStore
from tcworker.waiting import OneShot, Threads


class NotAllRemoved(Exception):
    """Some of what was to go is still there; the text says what went, what did not and why."""


class LeftCaches:
    """What is remembered of caches, and their folders.

    @param folders: those that a worker has open while it runs, open now.
    """

    def __init__(self, table: StateTable, folders: Sequence[Folders]) -> None:
        self._table = table
        self._folders = folders

    def rows(self) -> Deferred[Sequence[Row]]:
        """All that are remembered; those in use were so when their worker died, and the next one drops them."""
        return Deferred.fromCoroutine(self._rows())

    def purge(self, name: str, before: float = inf) -> Deferred[str]:
        """Remove the exclusive caches of a name that were made before a time; fires when their bytes are free.

        Fails with L{NotAllRemoved}.
        """
        return Deferred.fromCoroutine(self._remove(lambda row: row.is_meant(name, before)))

    def clear(self) -> Deferred[str]:
        """Remove all in the same way."""
        return Deferred.fromCoroutine(self._remove(lambda row: True))

    async def _rows(self) -> Sequence[Row]:
        return await self._table.rows()

    async def _remove(self, meant: Callable[[Row], bool]) -> str:
        rows = [row for row in await self._table.rows() if meant(row)]
        here = {row.id: folder for row in rows if (folder := await self._find(row)) is not None}
        elsewhere = [row for row in rows if row.id not in here]
        # What lies where only its platform can look is not found again by the next worker, which then removes it.
        for row in elsewhere:
            await self._table.keep(replace(row, purged=True))
        # First: to the next worker, rows whose folders are gone are a sign of a lost disk.
        await self._table.forget(list(here))
        problems = {id: problem for id, folder in here.items() if (problem := await _delete(folder))}
        said = _words([row for row in rows if row.id in here.keys() - problems.keys()], elsewhere)
        if problems:
            stuck = [f"{row.words} cannot be removed: {problems[row.id]}" for row in rows if row.id in problems]
            raise NotAllRemoved("; ".join([*filter(None, [said]), *stuck]) + ". The next worker tries it again")
        return said

    async def _find(self, row: Row) -> Folder | None:
        for folders in self._folders:
            if (folder := await folders.find(row.name, row.details)) is not None:
                return folder
        return None


async def _delete(folder: Folder) -> str:
    """Give why it cannot go, nothing when it is gone."""
    try:
        await folder.delete()
    except OSError as error:
        return str(error)
    return ""


def _words(gone: Sequence[Row], elsewhere: Sequence[Row]) -> str:
    removed = [f"{len(gone)} removed ({megabytes(gone)})"] if gone else []
    marked = [f"{len(elsewhere)} to go when the worker starts"] if elsewhere else []
    return ", ".join(removed + marked)


def _check_owner(state_dir: str) -> None:
    # What root makes in somebody's folder his worker cannot use, and where root follows links there is his choice.
    owner = os.stat(state_dir).st_uid if os.path.isdir(state_dir) else os.geteuid()
    if owner != os.geteuid():
        expected = f"a folder of your own: this one belongs to user {owner}, who can give this order"
        raise ConfigError([Fault("stateDir", state_dir, expected)])


async def obey(reactor: Any, config: Config, order: Order) -> JSON:
    """Take the folders of a worker that does not run, and do what an order says.

    Raises L{StateDirectoryTaken}, L{StateUnusable}, L{ConfigError}, L{NotAllRemoved} or C{OSError}.
    """
    _check_owner(config.state_dir)
    state = await StateStore.open(reactor, config.state_dir)
    threads = Threads(reactor, 2, "caches")
    places = {"cachesDir": config.caches_dir, "downloadsDir": config.downloads_dir}
    folders = [Folders(path, threads, key) for key, path in places.items()]
    try:
        for each in folders:
            await each.open()
        caches: Caches = LeftCaches(StateTable(state, threads), folders)
        opened: OneShot[None] = OneShot()
        opened.succeed(None)
        return json.loads(await CacheOrders(caches, opened, threads).obey(order))
    finally:
        for each in folders:
            await each.close()
        await threads.stop()
        await state.close()
