"""Requests to purge caches (contracts of the queue, 5): asks for them, and has them heeded."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.cache.unwritten import or_log
from tcworker.client.server_time import EARLIEST, ServerTime
from tcworker.errors import Unreachable
from tcworker.interfaces import JSON
from tcworker.json_reading import at
from tcworker.task.claim import read_date, write_date

PATIENCE = 10.0
"""Seconds that the answer may take: a task waits for it."""

OVERLAP = 300.0
"""Seconds before the last look from which on requests are asked for once more: a list may be ten seconds old, and
the servers of one Taskcluster may differ about the time."""

SLACK = 30.0
"""Seconds that a cache may seem to be younger than a request that means it: both dates are of clocks nearly right."""

_NOT_REMEMBERED = "when caches to be purged were last asked for; the next start asks for some of them once more"

_log = Logger()


@dataclass(frozen=True)
class PurgeRequest:
    """All caches of a name are to go that were made before a time, in seconds since 1970."""

    name: str
    before: float


class PurgeCalls(Protocol):
    """The purge-cache service as far as it is called here: L{tcworker.client.services.PurgeCache}."""

    def purge_requests(self, pool_id: str, /, **query: JSON) -> Deferred[JSON]: ...


class Purgeable(Protocol):
    """The caches of a worker."""

    def purge(self, name: str, before: float, /) -> Deferred[str]:
        """Throw away the writable caches of a name that were made before a time, those in use once they are not.

        Fires when no other task can get one, with words for the log; without any if there were none. Fails with what
        keeps the worker's state from being written.
        """


class LastLook(Protocol):
    """When the worker last asked, in seconds since 1970; remembered over restarts."""

    def read(self) -> Awaitable[float | None]: ...

    def remember(self, seconds: float, /) -> Awaitable[None]: ...


class PurgeRequests:
    """Those for one worker pool.

    @param service: called with the worker's credentials.
    @param time: of the server, which dates the requests; caches are dated by it as well.
    """

    def __init__(
        self,
        clock: IReactorTime,
        service: PurgeCalls,
        pool_id: str,
        time: ServerTime,
        caches: Purgeable,
        last_look: LastLook,
    ) -> None:
        self._clock = clock
        self._service = service
        self._pool_id = pool_id
        self._time = time
        self._caches = caches
        self._last_look = last_look
        self._heeded: frozenset[PurgeRequest] = frozenset()

    async def heed(self) -> None:
        """Ask once, and have all purged that is asked for.

        Raises L{TaskclusterError}, C{ValueError} for an answer that is none, or why something could not be purged.
        """
        # By a clock that nobody sets: the answer may set that of the server.
        asked = self._time.steady()
        since = await self._since()
        query = {} if since is None else {"since": write_date(since)}
        answer = self._service.purge_requests(self._pool_id, **query)
        requests = _read(await answer.addTimeout(PATIENCE, self._clock, _no_answer))
        for request in requests:
            await self._heed_one(request)
        # It is the same again in the next answer, when there may be a cache that was made since.
        self._heeded = frozenset(requests)
        # The answer's date has made the server's time known, if it was not.
        remembered = self._last_look.remember(self._time.seconds() - (self._time.steady() - asked))
        await or_log(remembered, _NOT_REMEMBERED)

    async def _since(self) -> datetime | None:
        """The date to ask from; C{None} to be told of all."""
        last = await self._last_look.read()
        # One in the future was remembered by a clock that was wrong.
        if last is None or not EARLIEST < last - OVERLAP <= self._time.seconds():
            return None
        return datetime.fromtimestamp(last - OVERLAP, UTC)

    async def _heed_one(self, request: PurgeRequest) -> None:
        if request in self._heeded:
            return
        if said := await self._caches.purge(request.name, request.before + SLACK):
            when = write_date(datetime.fromtimestamp(request.before, UTC))
            _log.info("purge request of {when} for {name}: {said}", when=when, name=request.name, said=said)


def _no_answer(result: object, seconds: float) -> NoReturn:
    raise Unreachable("purgeRequests", f"no answer in {seconds:.0f} s")


def _read(answer: JSON) -> Sequence[PurgeRequest]:
    """Raises C{ValueError} for what is no list of requests."""
    return [_read_one(answer, number) for number in range(len(at(answer, list, "requests")))]


def _read_one(answer: JSON, number: int) -> PurgeRequest:
    name = at(answer, str, "requests", number, "cacheName")
    return PurgeRequest(name, read_date(at(answer, str, "requests", number, "before")).timestamp())
