"""What is asked of the purge-cache service, and what follows from its answers."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.purge_requests import OVERLAP, PATIENCE, SLACK, PurgeRequests
from tcworker.client.server_time import ServerTime
from tcworker.errors import Unreachable
from tcworker.task.claim import read_date, write_date

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()


class FakePurgeCache:
    """Answers with what the test has put into it; a list may be old, as that of the real one."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Any = {"requests": []}
        self.silent = False

    def purge_requests(self, pool_id: str, /, **query: Any) -> Deferred[Any]:
        self.asked.append((pool_id, query))
        return Deferred() if self.silent else succeed(self.answer)

    def ask_for(self, *requests: tuple[str, float]) -> None:
        listed = [
            {"provisionerId": "a", "workerType": "b", "cacheName": name, "before": date(before)}
            for name, before in requests
        ]
        self.answer = {"requests": listed}


class FakeCaches:
    """Notes what is to be purged."""

    def __init__(self) -> None:
        self.purged: list[tuple[str, float]] = []
        self.full = False

    def purge(self, name: str, before: float) -> Deferred[str]:
        if self.full:
            return fail(OSError("no space"))
        self.purged.append((name, before))
        return succeed("thrown away: 1")


class FakeLastLook:
    """Remembers in memory."""

    seconds: float | None = None
    full = False

    def read(self) -> Deferred[float | None]:
        return succeed(self.seconds)

    def remember(self, seconds: float) -> Deferred[None]:
        if self.full:
            return fail(OSError(28, "No space left on device"))
        self.seconds = seconds
        return succeed(None)


def date(seconds: float) -> str:
    """As services write it."""
    return write_date(datetime.fromtimestamp(seconds, UTC))


class RequestsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.service, self.caches, self.last_look = FakePurgeCache(), FakeCaches(), FakeLastLook()
        self.requests = self.start()
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)

    def start(self) -> PurgeRequests:
        """As after a start of the worker."""
        self.time = ServerTime(self.clock.seconds)
        return PurgeRequests(self.clock, self.service, "a/b", self.time, self.caches, self.last_look)

    def heed(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.requests.heed()))

    def fail_to_heed(self, kind: type[Exception]) -> None:
        self.failureResultOf(Deferred.fromCoroutine(self.requests.heed()), kind)

    @property
    def since(self) -> float | None:
        """From which date on the last call asked."""
        _, query = self.service.asked[-1]
        return read_date(query["since"]).timestamp() if query else None


class Heeding(RequestsCase):
    def test_what_was_made_before_is_purged(self) -> None:
        self.service.ask_for(("one", NOW - 100), ("two", NOW - 50))
        self.heed()
        self.assertEqual(self.service.asked, [("a/b", {})])
        self.assertEqual(self.caches.purged, [("one", NOW - 100 + SLACK), ("two", NOW - 50 + SLACK)])

    def test_the_log_says_what_went_and_who_asked(self) -> None:
        self.service.ask_for(("one", NOW))
        self.heed()
        [line] = [formatEvent(event) for event in self.events]
        self.assertEqual(line, "purge request of 2027-01-15T08:00:00.000Z for one: thrown away: 1")

    def test_it_says_nothing_of_caches_that_are_not_here(self) -> None:
        self.patch(self.caches, "purge", lambda name, before: succeed(""))
        self.service.ask_for(("one", NOW))
        self.heed()
        self.assertEqual(self.events._events, [])

    def test_one_request_is_heeded_once(self) -> None:
        """It is listed for a while, in which there may be a new cache of that name."""
        self.service.ask_for(("one", NOW))
        for _ in range(3):
            self.heed()
        self.service.ask_for(("one", NOW + 1))
        self.heed()
        self.assertEqual(self.caches.purged, [("one", NOW + SLACK), ("one", NOW + 1 + SLACK)])

    def test_until_it_could_be(self) -> None:
        self.service.ask_for(("one", NOW))
        self.caches.full = True
        self.fail_to_heed(OSError)
        self.assertIsNone(self.last_look.seconds)
        self.caches.full = False
        self.heed()
        self.assertEqual(len(self.caches.purged), 1)

    def test_only_when_it_was_is_not_remembered(self) -> None:
        self.last_look.full = True
        self.service.ask_for(("one", NOW))
        self.heed()
        self.assertEqual(len(self.caches.purged), 1)
        warnings = [formatEvent(event) for event in self.events if event["log_level"].name == "warn"]
        self.assertEqual(len(warnings), 1)
        self.assertIn("when caches to be purged were last asked for", warnings[0])

    def test_what_is_no_answer(self) -> None:
        answers: list[Any] = [
            None,
            [],
            {"cacheName": "one"},
            {"requests": None},
            {"requests": [{"cacheName": "one"}]},
            {"requests": [{"cacheName": 1, "before": date(NOW)}]},
            {"requests": [{"cacheName": "one", "before": "soon"}]},
        ]
        for answer in answers:
            self.service.answer = answer
            self.fail_to_heed(ValueError)
        self.assertEqual((self.caches.purged, self.last_look.seconds), ([], None))

    def test_an_answer_that_does_not_come(self) -> None:
        self.service.silent = True
        heeding = Deferred.fromCoroutine(self.requests.heed())
        self.clock.advance(PATIENCE)
        error = self.failureResultOf(heeding, Unreachable).value
        self.assertEqual(str(error), "purgeRequests: no answer in 10 s")
        self.assertIsNone(self.last_look.seconds)

    def test_it_can_be_cancelled(self) -> None:
        self.service.silent = True
        heeding = Deferred.fromCoroutine(self.requests.heed())
        heeding.cancel()
        self.failureResultOf(heeding, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Since(RequestsCase):
    def test_the_last_look_and_some_minutes_more(self) -> None:
        self.heed()
        self.assertEqual(self.since, None)
        self.clock.advance(600)
        self.heed()
        self.assertEqual(self.since, NOW - OVERLAP)

    def test_it_is_kept_over_restarts(self) -> None:
        self.heed()
        self.clock.advance(3600)
        self.requests = self.start()
        self.heed()
        self.assertEqual(self.since, NOW - OVERLAP)

    def test_not_the_moment_of_the_answer(self) -> None:
        """What was asked for while it was on its way may not be in it."""

        def answer_slowly(pool_id: str, **query: Any) -> Deferred[Any]:
            self.clock.advance(9)
            return succeed({"requests": []})

        self.patch(self.service, "purge_requests", answer_slowly)
        self.heed()
        self.assertEqual(self.last_look.seconds, NOW)

    def test_a_clock_that_is_wrong_does_not_count(self) -> None:
        """This machine's is hours behind or ahead; what is remembered is the server's time."""
        for wrong in (-7200, 7200):
            self.requests = self.start()
            server = format_datetime(datetime.fromtimestamp(NOW + wrong, UTC), usegmt=True)

            def answer_with_date(pool_id: str, date: str = server, **query: Any) -> Deferred[Any]:
                self.time.heard(date, self.time.steady())
                return succeed({"requests": []})

            self.patch(self.service, "purge_requests", answer_with_date)
            self.heed()
            self.assertLess(abs((self.last_look.seconds or 0) - NOW - wrong), 1)

    def test_a_moment_that_cannot_be_is_not_believed(self) -> None:
        for moment in (NOW + 3600, -1e12, 0.0, 1e300, float("nan")):
            self.last_look.seconds = moment
            self.heed()
            self.assertEqual(self.since, None)
