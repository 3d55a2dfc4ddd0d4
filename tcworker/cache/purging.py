"""Looks for requests to purge caches before tasks that use some, and now and then."""

from __future__ import annotations

import random
from collections.abc import Awaitable
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.errors import CallFailed, TaskclusterError
from tcworker.waiting import Loose, OneShot, pause

LOOK_EVERY = 600.0
"""Seconds between two looks that no task asks for."""

AGAIN = 60.0
"""Seconds in which nobody asks after there was no answer: no task waits for an outage that another one has met."""

REFUSED_SECONDS = 3600.0
"""The same after the answer that this worker may not ask."""

JITTER = 0.25

_NOBODY_SAYS = "nobody says which caches to purge, and they are used as they are: {error}{needed}"

_LOOKING = "looking for requests to purge caches"

_log = Logger()


class Requests(Protocol):
    """What is looked at: L{tcworker.cache.purge_requests.PurgeRequests}."""

    def heed(self) -> Awaitable[None]: ...


class PurgeService(Service):
    """Looks every ten minutes, and whenever a task wants it to.

    Nobody waits for long: during an outage caches are used as they are.

    @param pool_id: of the worker.
    """

    def __init__(self, clock: IReactorTime, requests: Requests, pool_id: str) -> None:
        self._clock = clock
        self._requests = requests
        self._scope = f"purge-cache:purge-requests::{pool_id}"
        self._loose = Loose(_log)
        self._looking = False
        self._next: OneShot[None] | None = None
        self._silent_until = clock.seconds()
        self._in_trouble = False

    def startService(self) -> None:
        """Begin to look now and then; the first task with a cache does not wait for that."""
        super().startService()
        self._loose.run(self._look_now_and_then(), _LOOKING)

    def stopService(self) -> Deferred[None]:
        """Look no more; whoever waits for a look goes on."""
        super().stopService()
        stopped = self._loose.cancel()
        if self._next is not None:
            # The look that would tell them is not taken any more.
            self._next.succeed(None)
        return stopped

    def look(self) -> Deferred[None]:
        """Fire when all is heeded that was asked for before this call, or nobody can say; never fails."""
        if not self.running:
            return succeed(None)
        # The answer on its way may be older than this call. All who come until it is there share the next one.
        self._next = self._next or OneShot()
        looked = self._next.wait()
        if not self._looking:
            self._loose.run(self._look_while_wanted(), _LOOKING)
        return looked

    async def _look_now_and_then(self) -> None:
        while True:
            # Not all workers of a pool at once.
            await pause(self._clock, LOOK_EVERY * random.uniform(1 - JITTER, 1))
            await self.look()

    async def _look_while_wanted(self) -> None:
        self._looking = True
        try:
            while (wanted := self._next) is not None:
                self._next = None
                await self._look_for(wanted)
        finally:
            self._looking = False

    async def _look_for(self, waiting: OneShot[None]) -> None:
        try:
            if self._clock.seconds() >= self._silent_until:
                await self._requests.heed()
                self._in_trouble = False
        except CancelledError:
            raise
        except (TaskclusterError, ValueError) as error:
            self._trouble(error)
        except Exception:
            # Of a disk that takes no more, tasks are told when they want their caches.
            _log.failure("caches that were to be purged are still there")
        finally:
            waiting.succeed(None)

    def _trouble(self, error: Exception) -> None:
        refused = isinstance(error, CallFailed) and error.denies_access
        self._silent_until = self._clock.seconds() + (REFUSED_SECONDS if refused else AGAIN)
        # An outage is as long as it likes, and its news is that it began.
        if not self._in_trouble:
            needed = f" (the worker's client needs {self._scope})" if refused else ""
            _log.warn(_NOBODY_SAYS, error=error, needed=needed)
        self._in_trouble = True
