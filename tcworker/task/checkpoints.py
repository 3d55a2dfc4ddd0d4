"""What there is of a run's log, published while it grows: should machine and worker go, that much is there to read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from tcworker.errors import ArchiveError, TaskclusterError, TaskError
from tcworker.retry import Backoff
from tcworker.task.log_compression import GzippedLog
from tcworker.task.put import Refused
from tcworker.waiting import Loose, pause
from tcworker.worker_log import RunLogger

FIRST = 60.0
"""Seconds after which the first is due; the others when the run has lasted twice as long as at the one before."""

CLOSE_SECONDS = 10.0
"""For one that is listed and not there yet when the run is over, or that must not be seen."""

FOR_FIRST = 0.5
"""The part of it that the first one has if it is on its way: it may be lost, and the rest is for the whole log then."""

AGAIN = 1.0
"""Seconds between two tries in that time."""

RETRIES = Backoff(first=5.0, most=300.0)
"""Each try has the log as it is then, and so compresses all of it."""


class Checkpoints:
    """Publishes one after the other, until the log is sealed.

    @param take: gives the log as it is.
    @param first: called before the first is published.
    @param publish: publishes that, without trying twice, in the place of what was published before.
    @param refer: leads those who look for the log to the first one, once that is there.
    """

    def __init__(
        self,
        clock: IReactorTime,
        log: RunLogger,
        *,
        take: Callable[[], Deferred[GzippedLog]],
        first: Callable[[], None],
        publish: Callable[[GzippedLog], Deferred[None]],
        refer: Callable[[], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._logger = log
        self._take = take
        self._first = first
        self._publish = publish
        self._refer = refer
        self._loose = Loose(log)
        self._making: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._pause = FIRST
        self._stopped = False
        # Whether one may be listed, is on its way, is there, and whether it shows what must not be seen.
        self._declared = self._sending = self._stored = self._stale = False
        self._referred = self._replacing = False
        self._whole: GzippedLog | None = None

    def begin(self) -> None:
        """From now on."""
        self._timer = self._clock.callLater(self._pause, self._due)

    def owe(self) -> None:
        """A worker that died may have published one: let L{finish} put the whole log in its place."""
        self._declared = self._stale = True

    def late_secret(self) -> None:
        """Something that must not be seen may be in what is published: have another take its place at once."""
        self._stale = self._declared
        if self._making is not None:
            making = self._making
            making.addCallback(lambda _: self._make())
            making.cancel()
        elif self._stale:
            self._make()

    def stop(self) -> None:
        """Begin none any more. The first one goes on if it is on its way: what is declared must be there."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._making is not None and (self._stored or not self._sending):
            self._making.cancel()

    async def finish(self, sealed: GzippedLog) -> None:
        """Put the whole log in the place of one that is not there although it is listed, or that must not be seen.

        @param sealed: is not closed here, and not before L{close} is done.
        """
        self._whole = sealed
        if self._owed and not self._sending:
            await self._store(sealed)

    async def close(self, seconds: float) -> None:
        """Return when nothing is on its way any more, nor has to be; what takes longer is cancelled."""
        self.stop()
        seconds = min(CLOSE_SECONDS, seconds)
        end = self._clock.seconds() + seconds
        if self._making is not None:
            first = self._clock.callLater(seconds * FOR_FIRST, self._leave_first)
            await self._loose.end(self._clock, seconds)
            if first.active():
                first.cancel()
        if self._owed and not self._replacing and (left := end - self._clock.seconds()) > 0:
            self._run(self._until_whole())
            await self._loose.end(self._clock, left)

    @property
    def _owed(self) -> bool:
        """Whether one is listed that may not be there, or shows what must not be seen."""
        return self._stale or (self._declared and not self._stored)

    def _due(self) -> None:
        self._timer = self._clock.callLater(self._pause, self._due)
        self._pause *= 2
        self._make()

    def _make(self) -> None:
        if self._making is None and not self._stopped:
            self._run(self._until_stored())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._making = Deferred.fromCoroutine(work)
        self._loose.run(self._making.addBoth(self._made), "publishing a checkpoint of the log")

    def _made(self, result: object) -> object:
        self._making = None
        return result

    async def _until_stored(self) -> None:
        for delay in RETRIES.delays():
            if await self._checkpoint() or self._stopped:
                break
            await pause(self._clock, delay)
        if self._stopped:
            await self._until_whole()
        elif self._stored and not self._referred:
            await self._refer()
            self._referred = True

    def _leave_first(self) -> None:
        if self._making is not None and self._whole is not None and not self._replacing:
            self._making.cancel()

    async def _until_whole(self) -> None:
        self._replacing = self._whole is not None
        while self._owed and self._whole is not None and not await self._store(self._whole):
            await pause(self._clock, AGAIN)

    async def _checkpoint(self) -> bool:
        """Publish the log as it is; whether there is no use in trying that again."""
        try:
            snapshot = await self._take()
        except OSError as error:
            self._logger.warn("no checkpoint of the log: {error}", error=error.strerror)
            return True
        try:
            return await self._store(snapshot)
        finally:
            snapshot.file.close()

    async def _store(self, log: GzippedLog) -> bool:
        if not self._declared:
            self._first()
        self._declared = self._sending = True
        try:
            await self._publish(log)
        except (TaskclusterError, Refused, TaskError, ArchiveError) as error:
            self._logger.warn("a checkpoint of the log cannot be published: {error}", error=str(error))
            return not getattr(error, "may_pass", False)
        except CancelledError:
            raise
        except Exception:
            # The run shall not end for it.
            self._logger.failure("publishing a checkpoint of the log failed")
            return True
        finally:
            self._sending = False
        self._stored, self._stale = True, False
        return True
