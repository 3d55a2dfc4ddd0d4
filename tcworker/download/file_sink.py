"""A file as a place for content that arrives."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tcworker.errors import ResourceUnavailable
from tcworker.interfaces import ISink
from tcworker.launcher.sink import write_all
from tcworker.waiting import Executor, OneShot


@implementer(ISink)
class FileSink:
    """Makes a file, readable by the worker alone; for folders that no task can reach.

    Its methods fail with L{ResourceUnavailable} when the disk takes no more. What was made of a file that is abandoned
    stays, for who made the folder to remove.

    @param path: where there is nothing yet.
    """

    def __init__(self, path: str, threads: Executor) -> None:
        self._path = path
        self._threads = threads
        self._descriptor: int | None = None
        self._job: OneShot[None] | None = None

    def begin(self, size: int | None) -> Deferred[None]:
        """See L{ISink.begin}."""
        return self._run(self._open)

    def write(self, data: bytes) -> Deferred[None]:
        """See L{ISink.write}."""
        return self._run(lambda: write_all(self._opened, data))

    def finish(self) -> Deferred[None]:
        """See L{ISink.finish}."""
        # Some file systems find out only now that there was no room.
        return self._run(self._close)

    def abandon(self) -> Deferred[None]:
        """See L{ISink.abandon}."""
        return Deferred.fromCoroutine(self._abandon())

    async def _abandon(self) -> None:
        # A thread may still write, and the number of a closed descriptor is soon another file's.
        if self._job is not None:
            await self._job.wait().addErrback(lambda _: None)
        # Whatever could not be written is nobody's business any more.
        await self._run(self._close).addErrback(lambda failure: failure.trap(ResourceUnavailable))

    def _run(self, work: Callable[..., None], *args: Any) -> Deferred[None]:
        """Call in a thread. Cancelling this gives up the wait; the job itself goes on."""
        job = self._job = OneShot()
        waiting = job.wait()
        self._threads.run(self._guard, work, *args).addBoth(job.settle)
        return waiting

    def _guard(self, work: Callable[..., None], *args: Any) -> None:
        try:
            work(*args)
        except OSError as error:
            why = f"no room for a download of this size: {error.strerror}"
            raise ResourceUnavailable.no_disk(why, self._path, error) from error

    @property
    def _opened(self) -> int:
        assert self._descriptor is not None, "a sink is told before the first byte"
        return self._descriptor

    def _open(self) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
