"""The verdict of a run that is under way: when it is published, and that it never stands in anybody's way."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.causes import Cause
from tcworker.errors import NamingConflict, ResourceUnavailable, TaskFailed
from tcworker.interfaces import JSON, CommandRecord, ExitStatus
from tcworker.task.log_names import LogNames
from tcworker.task.resolution import CANCELED
from tcworker.task.verdict import BY_QUEUE, by_error
from tcworker.task.verdict_file import MOST_SECONDS, VerdictFile
from tcworker.testing.context import FakeTaskContext
from tests.task.test_verdict_document import CONFIG

USUAL = "public/logs/verdict.json"
FAILURE = by_error(TaskFailed("too long", cause=Cause.MAX_RUN_TIME, evidence={"seconds": 7}))


@dataclass
class Result:
    """As much of a result as matters here."""

    commands: tuple[CommandRecord, ...]


class Publishing(SynchronousTestCase):
    """Of one run."""

    def setUp(self) -> None:
        self.context = FakeTaskContext(Clock())
        self.told: list[bool] = []
        self.file = VerdictFile(self.context, CONFIG, self.masked, lambda: self.told.append(True))

    def masked(self, text: str) -> str:
        return text.replace("secret", "[masked]")

    def published(self, name: str = USUAL) -> JSON:
        return json.loads(gzip.decompress(self.context.contents[name]))

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
        self.assertEqual(self.told, [])
        publishing.callback(None)
        self.successResultOf(published)
        self.assertEqual(self.told, [True])

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
        self.told: list[bool] = []

    def file(self, publishing: Deferred[None]) -> tuple[Clock, VerdictFile]:
        """A verdict whose publication ends as this does."""
        context = FakeTaskContext(clock := Clock())
        self.patch(context, "publish", lambda artifact: publishing)
        file = VerdictFile(context, CONFIG, lambda text: text, lambda: self.told.append(True))
        file.explain(FAILURE)
        return clock, file

    def verdict(self, publishing: Deferred[None]) -> tuple[Clock, Deferred[None]]:
        clock, file = self.file(publishing)
        return clock, file.publish()

    def test_one_that_nobody_takes(self) -> None:
        for error in (ResourceUnavailable("the storage is away"), NamingConflict("taken"), ZeroDivisionError()):
            self.successResultOf(self.verdict(fail(error))[1])
        self.assertEqual(self.told, [])

    def test_one_that_cannot_be_written(self) -> None:
        def broken(text: str) -> str:
            raise ValueError("no text")

        file = VerdictFile(FakeTaskContext(Clock()), CONFIG, broken, lambda: None)
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
