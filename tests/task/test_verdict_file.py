"""The verdict of a run that is under way: when it is published, and that it never stands in anybody's way."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from datetime import datetime

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.causes import Cause
from tcworker.errors import NamingConflict, ResourceUnavailable, TaskFailed
from tcworker.interfaces import JSON, CommandRecord, ExitStatus
from tcworker.task.log_names import LogNames
from tcworker.task.resolution import CANCELED
from tcworker.task.verdict import BY_QUEUE, Verdict, by_error
from tcworker.task.verdict_file import MOST_SECONDS, VerdictFile
from tcworker.testing.context import FakeTaskContext
from tests.task.test_verdict_document import CONFIG

USUAL = "public/logs/verdict.json"
FAILURE = by_error(TaskFailed("too long", cause=Cause.MAX_RUN_TIME, evidence={"seconds": 7}))


@dataclass
class Result:
    """As much of a result as matters here."""

    commands: tuple[CommandRecord, ...]


class Log:
    """What is masked in a run's log, and what is beside it for another process.

    @ivar noted: what was about to be published.
    @ivar published: whether it was.
    """

    def __init__(self) -> None:
        self.noted: list[tuple[Verdict, datetime]] = []
        self.published = False

    def hide(self, text: str) -> str:
        return text.replace("secret", "[masked]")

    def note_verdict(self, verdict: Verdict, time: datetime) -> None:
        self.noted.append((verdict, time))

    def verdict_published(self) -> None:
        self.published = True


class Publishing(SynchronousTestCase):
    """Of one run."""

    def setUp(self) -> None:
        self.context = FakeTaskContext(Clock())
        self.log = Log()
        self.file = VerdictFile(self.context, CONFIG, self.log)

    def published(self, name: str = USUAL) -> JSON:
        return json.loads(gzip.decompress(self.context.stored[name]))

    def test_a_run_that_went_well_has_none(self) -> None:
        self.successResultOf(self.file.publish())
        self.assertEqual(self.context.published, [])

    def test_why_it_ends_is_published_at_the_usual_place_when_the_payload_names_none(self) -> None:
        self.file.explain(FAILURE)
        self.successResultOf(self.file.publish())
        self.assertEqual(self.published()["cause"], "max-run-time")
        self.assertEqual(self.context.published[0].expires, self.context.expires)

    def test_who_keeps_what_is_there_is_told_when_it_is(self) -> None:
        publishing: Deferred[None] = Deferred()
        self.patch(self.context, "reserve", lambda name: lambda artifact: publishing)
        self.file.put_beside(LogNames())
        self.file.explain(FAILURE)
        published = self.file.publish()
        self.assertFalse(self.log.published)
        publishing.callback(None)
        self.successResultOf(published)
        self.assertTrue(self.log.published)

    def test_and_before_that_what_it_is_with_all_evidence_unmasked(self) -> None:
        self.patch(self.context, "reserve", lambda name: lambda artifact: Deferred())
        self.file.put_beside(LogNames())
        self.file.saw(Result((CommandRecord(("x",), ExitStatus(None, 15)),)))  # type: ignore[arg-type]  # enough of one
        self.file.explain(by_error(TaskFailed("the secret is out")))
        self.file.publish()
        ((verdict, _),) = self.log.noted
        self.assertEqual((verdict.why, verdict.evidence["command"]["signal"]), ("the secret is out", "SIGTERM"))

    def answer(self, result: Deferred[None]) -> VerdictFile:
        """Publish one, which has this answer."""
        self.patch(self.context, "reserve", lambda name: lambda artifact: result)
        self.file.put_beside(LogNames())
        self.file.explain(FAILURE)
        published = self.file.publish()
        self.context.clock.advance(MOST_SECONDS)  # type: ignore[attr-defined]  # it is a Clock
        self.successResultOf(published)
        return self.file

    def test_one_that_the_storage_does_not_take_for_now_is_owed(self) -> None:
        for result in (fail(ResourceUnavailable("the storage is away")), Deferred[None]()):
            self.setUp()
            self.assertTrue(self.answer(result).owed)

    def test_one_that_is_there_or_refused_is_not(self) -> None:
        for result in (succeed(None), fail(ResourceUnavailable.refused("artifact", "403"))):
            self.setUp()
            self.assertFalse(self.answer(result).owed)

    def test_it_goes_where_the_log_does_and_nobody_else_can_have_the_name(self) -> None:
        self.file.put_beside(LogNames("a/live", "a/whole"))
        self.assertTrue(self.context.is_reserved("a/verdict.json"))
        self.file.explain(FAILURE)
        self.successResultOf(self.file.publish())
        self.assertEqual(self.published("a/verdict.json")["message"], "too long")

    def test_of_a_run_that_publishes_no_log_there_is_none(self) -> None:
        self.file.put_beside(LogNames(published=False))
        self.file.explain(FAILURE)
        self.successResultOf(self.file.publish())
        self.assertEqual((self.context.published, self.context.is_reserved(USUAL)), ([], False))

    def test_a_log_that_has_its_name_is_worth_more(self) -> None:
        self.context.reserve("public/logs/verdict.json")
        self.file.put_beside(LogNames(live="public/logs/verdict.json"))
        self.file.explain(FAILURE)
        self.successResultOf(self.file.publish())
        self.assertEqual(self.context.published, [])

    def test_what_the_queue_decided_later_is_what_counts(self) -> None:
        self.file.explain(FAILURE)
        self.context.clock.advance(5)  # type: ignore[attr-defined]  # it is a Clock
        self.file.explain(BY_QUEUE[CANCELED])
        self.successResultOf(self.file.publish())
        self.assertEqual((self.published()["cause"], self.published()["time"][-6:]), ("canceled", "5.000Z"))

    def test_it_is_published_once(self) -> None:
        self.file.explain(FAILURE)
        self.successResultOf(self.file.publish())
        self.file.explain(BY_QUEUE[CANCELED])
        self.successResultOf(self.file.publish())
        self.assertEqual((len(self.context.published), self.published()["cause"]), (1, "max-run-time"))

    def test_one_that_is_asked_for_too_early_comes_later(self) -> None:
        self.successResultOf(self.file.publish())
        self.file.explain(FAILURE)
        self.successResultOf(self.file.publish())
        self.assertEqual(len(self.context.published), 1)

    def test_how_the_last_command_ended_is_evidence_of_any_cause(self) -> None:
        self.file.saw(Result((CommandRecord(("x",), ExitStatus(None, 15)),)))  # type: ignore[arg-type]  # enough of one
        self.file.explain(FAILURE)
        self.successResultOf(self.file.publish())
        evidence = self.published()["evidence"]
        self.assertEqual((evidence["command"]["signal"], evidence["seconds"]), ("SIGTERM", 7))

    def test_nothing_secret_is_in_it(self) -> None:
        self.file.explain(by_error(TaskFailed("the secret is out", evidence={"path": "/secret"})))
        self.successResultOf(self.file.publish())
        self.assertNotIn("secret", json.dumps(self.published()))


class WhenItCannotBePublished(SynchronousTestCase):
    """The run goes on all the same."""

    def setUp(self) -> None:
        self.log = Log()

    def file(self, publishing: Deferred[None]) -> tuple[Clock, VerdictFile]:
        """A verdict whose publication ends as this does."""
        context = FakeTaskContext(clock := Clock())
        self.patch(context, "publish", lambda artifact: publishing)
        file = VerdictFile(context, CONFIG, self.log)
        file.explain(FAILURE)
        return clock, file

    def verdict(self, publishing: Deferred[None]) -> tuple[Clock, Deferred[None]]:
        clock, file = self.file(publishing)
        return clock, file.publish()

    def test_one_that_nobody_takes(self) -> None:
        for error in (ResourceUnavailable("the storage is away"), NamingConflict("taken"), ZeroDivisionError()):
            self.successResultOf(self.verdict(fail(error))[1])
        self.assertFalse(self.log.published)

    def test_one_that_cannot_be_written(self) -> None:
        def broken(text: str) -> str:
            raise ValueError("no text")

        self.patch(self.log, "hide", broken)
        file = VerdictFile(FakeTaskContext(Clock()), CONFIG, self.log)
        file.explain(FAILURE)
        self.successResultOf(file.publish())

    def test_one_that_hangs(self) -> None:
        cancelled: list[object] = []
        clock, publishing = self.verdict(Deferred(cancelled.append))
        clock.advance(MOST_SECONDS - 1)
        self.assertNoResult(publishing)
        clock.advance(1)
        self.successResultOf(publishing)
        self.assertEqual((len(cancelled), clock.getDelayedCalls()), (1, []))

    def test_as_long_as_the_log_is_on_its_way_it_is_waited_for_and_then_some_more(self) -> None:
        log: Deferred[None] = Deferred()
        cancelled: list[object] = []
        clock, file = self.file(Deferred(cancelled.append))
        publishing = Deferred.fromCoroutine(file.publish_beside(log))
        clock.advance(10 * MOST_SECONDS)
        self.assertEqual(cancelled, [])
        log.callback(None)
        clock.advance(MOST_SECONDS - 1)
        self.assertNoResult(publishing)
        clock.advance(1)
        self.successResultOf(publishing)
        self.assertEqual((len(cancelled), clock.getDelayedCalls()), (1, []))

    def test_one_that_is_there_before_the_log_is_fine(self) -> None:
        log: Deferred[None] = Deferred()
        _, file = self.file(succeed(None))
        publishing = Deferred.fromCoroutine(file.publish_beside(log))
        self.assertNoResult(publishing)
        log.callback(None)
        self.successResultOf(publishing)

    def test_one_that_nobody_takes_before_the_log_is_there_is_no_trouble(self) -> None:
        log: Deferred[None] = Deferred()
        _, file = self.file(fail(ResourceUnavailable("the storage is away")))
        publishing = Deferred.fromCoroutine(file.publish_beside(log))
        log.callback(None)
        self.successResultOf(publishing)

    def test_a_log_that_is_dropped_takes_it_along(self) -> None:
        cancelled: list[object] = []
        clock, file = self.file(Deferred(cancelled.append))
        publishing = Deferred.fromCoroutine(file.publish_beside(Deferred()))
        publishing.cancel()
        self.failureResultOf(publishing, CancelledError)
        self.assertEqual((len(cancelled), clock.getDelayedCalls()), (1, []))

    def test_a_run_that_is_dropped_drops_it(self) -> None:
        clock, publishing = self.verdict(Deferred())
        publishing.cancel()
        self.failureResultOf(publishing, CancelledError)
        self.assertEqual(clock.getDelayedCalls(), [])
