"""A folder full of caches that one worker has to itself: makes them, finds them again, removes them."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.cache.disk_use import disk_use
from tcworker.cache.own_folder import OwnFolder
from tcworker.cache.tar import pieces_of
from tcworker.cache.together import Together
from tcworker.interfaces import ICacheFolder
from tcworker.removal import remove
from tcworker.waiting import Executor

_HERE, _GOING = "cache-", "gone-"
_OURS = re.compile(rf"({_HERE}|{_GOING})[0-9a-f]{{16}}\Z")
"""Whatever else lies there was put there by somebody else, and stays."""

_NOT_REMOVED = (
    "{path} cannot be removed: {error}. Look whether something is mounted there or made immutable (lsattr); it is "
    "tried again every hour."
)

_UNKNOWN = (
    "in {path} {count} folders that nobody knows are removed: what was being made when a worker ended, or caches of a "
    "state directory that was lost or is another one"
)

T = TypeVar("T")

_log = Logger()


class Folders:
    """Where the folders of caches are; nobody else may enter it.

    @ivar path: absolute.
    @param threads: of which one may be at work for as long as it takes to remove the largest cache.
    @param key: of the configuration, which names the path.
    """

    def __init__(self, path: str, threads: Executor, key: str) -> None:
        self.path = path
        self._threads = threads
        self._top = OwnFolder(path, key)
        # What takes long is done one after the other, so that a thread is left for what a task waits for.
        self._long = DeferredLock()
        self._settings_aside = Together(self._in_thread, _set_aside)
        self._removals = Together(partial(self._long.run, self._in_thread), self._remove)
        self._living: set[str] = set()
        self._found: frozenset[str] = frozenset()

    def open(self) -> Deferred[None]:
        """Make it if need be, and take it, unless that is done or it was closed; to be closed.

        Fails with L{ConfigError} or C{OSError}.
        """
        return self._threads.run(self._open)

    def close(self) -> Deferred[None]:
        """Give it up, and end what a thread still does in it; repeatable."""
        self._top.wanted = False
        return self._threads.run(self._top.give_up)

    def new(self, name: str) -> Deferred[Folder]:
        """Make an empty one, 0700 and the worker's own.

        Fails with C{OSError}, or with L{ConfigError} if all was removed and cannot be taken again.
        """
        path = os.path.join(self.path, _HERE + os.urandom(8).hex())
        # Before it is there: a sweep may look at any moment.
        self._living.add(path)
        folder = Folder(self, name, {"path": path})
        made = self._threads.run(self._new, path)
        return made.addCallbacks(lambda _: folder, lambda failure: self._forget(path, failure))

    def find(self, name: str, details: Mapping[str, Any]) -> Deferred[Folder | None]:
        """Give one that an earlier worker made, C{None} if it is not there, or not in this place."""
        path = details.get("path")
        if not isinstance(path, str) or path not in self._found:
            return succeed(None)
        self._living.add(path)
        return succeed(Folder(self, name, dict(details)))

    def sweep(self) -> Deferred[None]:
        """Remove all that were neither made nor found; those that cannot go are logged."""
        return Deferred.fromCoroutine(self._sweep())

    def is_there(self, path: str) -> Deferred[bool]:
        """Whether there is a folder."""
        return self._threads.run(os.path.isdir, path)

    async def measure(self, path: str) -> int:
        """Give the bytes of a folder by disk blocks, 0 for none. Raises C{OSError}."""
        return await self._long.run(self._threads.run, disk_use, path, self._is_open)

    async def delete(self, path: str) -> None:
        """Set a folder aside, then remove it. Raises C{OSError} that names where something of it is left."""
        aside = os.path.join(self.path, _GOING + os.urandom(8).hex())
        self._living.add(aside)
        try:
            # At once: should the row of it survive, nobody finds the folder any more.
            await self._settings_aside.do((path, aside))
            await self._remove_aside(aside)
        finally:
            self._living -= {path, aside}

    async def _remove_aside(self, path: str) -> None:
        try:
            await self._removals.do(path)
        except OSError as error:
            # It names something in there alone, and nobody but us knows where that is by now.
            raise OSError(error.errno, error.strerror, path) from error

    def archive(self, path: str) -> AsyncIterator[bytes]:
        """Give the contents of a folder as a tar. Raises C{OSError}."""
        return pieces_of(path, self._threads)

    def _in_thread(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        return self._threads.run(work, *args)

    def _is_open(self) -> bool:
        return self._top.wanted

    def _remove(self, path: str) -> None:
        remove(path, wanted=self._is_open)

    def _forget(self, path: str, reason: Any) -> Any:
        self._living.discard(path)
        return reason

    async def _sweep(self) -> None:
        names = await self._threads.run(self._names)
        unknown = [path for name in names if (path := os.path.join(self.path, name)) not in self._living]
        if count := sum(os.path.basename(path).startswith(_HERE) for path in unknown):
            _log.warn(_UNKNOWN, count=count, path=self.path)
        for path in unknown:
            # Asked once more: what has been made since the list was is not in it, what is being made is.
            if path not in self._living:
                await self._sweep_one(path)

    async def _sweep_one(self, path: str) -> None:
        try:
            await self._long.run(self._threads.run, self._remove, path)
        except OSError as error:
            _log.error(_NOT_REMOVED, path=path, error=error)

    def _open(self) -> None:
        if self._top.take():
            # Nobody else makes any here. Looked at once, for there may be very many.
            there = (name for name in os.listdir(self.path) if name.startswith(_HERE))
            self._found = frozenset(os.path.join(self.path, name) for name in there)

    def _names(self) -> list[str]:
        self._top.take_again()
        return [name for name in os.listdir(self.path) if _OURS.match(name)]

    def _new(self, path: str) -> None:
        # Somebody who tidies up may have removed all of it: tasks would fail one after the other.
        self._top.take_again()
        os.mkdir(path, 0o700)


@implementer(ICacheFolder)
class Folder:
    """A folder of L{Folders}.

    @ivar details: C{path}, and whatever else the platform notes about it.
    @ivar owner: who shall fill it, should its platform have said so.
    """

    owner: tuple[int, int] | None = None

    def __init__(self, folders: Folders, name: str, details: dict[str, Any]) -> None:
        self._folders = folders
        self.name = name
        self.details = details
        self.path: str = details["path"]
        self.size = 0

    def is_there(self) -> Deferred[bool]:
        """See L{ICacheFolder.is_there}."""
        return self._folders.is_there(self.path)

    def measure(self) -> Deferred[int]:
        """See L{ICacheFolder.measure}."""
        return Deferred.fromCoroutine(self._measure())

    def archive(self) -> AsyncIterator[bytes]:
        """See L{ICacheFolder.archive}."""
        return self._folders.archive(self.path)

    def delete(self) -> Deferred[None]:
        """See L{ICacheFolder.delete}."""
        return Deferred.fromCoroutine(self._folders.delete(self.path))

    async def _measure(self) -> int:
        self.size = await self._folders.measure(self.path)
        return self.size


def _set_aside(names: tuple[str, str]) -> None:
    path, aside = names
    with suppress(FileNotFoundError):
        os.rename(path, aside)
