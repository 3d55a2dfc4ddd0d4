"""What is to be read of a run's log before the run's end, and what there is for the next worker should this one die."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs, formatEvent

from tcworker.claims.recovery import Recovery
from tcworker.client.server_time import ServerTime
from tcworker.errors import ResourceUnavailable, TaskFailed
from tcworker.state import RunRecord
from tcworker.task.checkpoints import FIRST
from tcworker.task.context import IRunContext
from tcworker.task.log_names import LogNames
from tcworker.task.log_record import LogRecord
from tcworker.task.resolution import CANCELED, COMPLETED, WORKER_SHUTDOWN
from tcworker.task.service import MOST_OF_WHY, TaskService
from tests.task.test_service import BACKING, LIVE, VERDICT, Running
from tests.verdicts import read_verdict

CHECKPOINT = "public/logs/checkpoint.log"

NEVER = 1_900_000_000
"""Seconds since 1970, long after each claim here."""


class ALongRun(Running):
    """A task that runs for minutes."""

    def begin(self, **payload: Any) -> TaskService:
        return self.run_task({"print": "hello"}, {"sleep": 3 * FIRST}, **payload)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)

    def test_what_there_is_of_its_log_is_published_and_then_all_of_it(self) -> None:
        self.begin()
        self.wait(2 * FIRST)
        context = self.facilities.contexts[0]
        self.assertEqual([artifact.name for artifact in context.republished], [CHECKPOINT] * 2)
        self.assertEqual(self.published, [LIVE])
        self.wait(2 * FIRST)
        self.queue.answer("report_completed")
        self.assertEqual((sorted(self.published), self.ended), ([LIVE, LIVE, BACKING], [COMPLETED]))
        self.assertEqual((len(context.republished), self.clock.getDelayedCalls()), (2, []))

    def test_one_that_is_under_way_ends_with_a_run_that_is_given_up(self) -> None:
        task = self.begin()
        given_up: list[object] = []
        self.patch(self.facilities.contexts[0], "republish", lambda _: Deferred(given_up.append))
        self.wait(FIRST)
        dropped = task.stopService()
        self.clock.advance(0)
        self.successResultOf(dropped)
        self.assertEqual((len(given_up), self.clock.getDelayedCalls()), (1, []))

    def test_its_log_is_left_for_the_next_worker_then(self) -> None:
        self.successResultOf(self.begin().stopService())
        (run,) = os.listdir(os.path.join(self.folder, "runs"))
        self.assertIn("live.log", os.listdir(os.path.join(self.folder, "runs", run)))


class ForTheNextWorker(Running):
    """What is beside a run's log while it grows."""

    def record(self) -> LogRecord:
        (run,) = os.listdir(os.path.join(self.folder, "runs"))
        return LogRecord.read(os.path.join(self.folder, "runs", run))

    def test_what_the_task_wants_its_log_to_be_called(self) -> None:
        self.run_task({"sleep": 9}, logs={"live": "a/live", "backing": "a/whole"})
        self.assertEqual(self.record().names, LogNames("a/live", "a/whole"))

    def test_how_long_it_is_to_be_kept(self) -> None:
        self.run_task({"sleep": 9})
        self.assertEqual(self.record().expires, self.facilities.contexts[0].expires)

    def test_that_the_worker_was_told_to_go(self) -> None:
        task = self.run_task({"sleep": 9})
        self.assertIsNone(self.record().seconds_left)
        task.shut_down(30)
        task.shut_down(5)
        self.assertEqual(self.record().seconds_left, 30)

    def test_the_secrets_of_the_worker_and_of_each_claim(self) -> None:
        task = self.run_task({"sleep": 2000})
        task.context.mask("of a feature")
        for _ in range(1100):
            self.clock.advance(1)
        answer = self.facilities.reclaim_answer()
        answer["credentials"]["accessToken"] = "of a reclaim"
        self.queue.answer("reclaim_task", answer)
        literals = self.record().literals
        for secret in (b"secret", b"of a feature", b"of a reclaim"):
            self.assertIn(secret, literals)


class ForOperators(Running):
    """What the worker's own log says of the end of a run."""

    settings: ClassVar[Mapping[str, Any]] = {"logs_mask": ("hush-hush",)}

    def ends(self, why: str) -> str:
        self.feature.answers["upload"] = fail(TaskFailed(why))
        with capturedLogs() as events:
            self.run_task()
        [line] = [formatEvent(event) for event in events if "ends by" in event["log_format"]]
        return line.partition(": ")[2]

    def test_no_secret_of_its_log(self) -> None:
        self.assertEqual(self.ends("there is no hush-hush here"), "there is no [masked] here")

    def test_of_much_that_is_wrong_one_line(self) -> None:
        self.assertEqual(self.ends("all is wrong:\n- this\n- that"), "all is wrong:")

    def test_no_more_of_a_long_line_than_somebody_reads(self) -> None:
        self.assertEqual(self.ends("x" * 5000), "x" * MOST_OF_WHY)

    def test_nor_a_part_of_a_secret_where_it_is_cut(self) -> None:
        self.assertNotIn("hush", self.ends("x" * (MOST_OF_WHY - 4) + "hush-hush"))


class AStorageThatIsAway(Running):
    """The log cannot be published, though the queue takes it for a while after an exception."""

    error: Exception = ResourceUnavailable("the storage is away")

    def setUp(self) -> None:
        super().setUp()
        self.well = self.facilities.new_context
        self.patch(self.facilities, "new_context", self.away)

    def away(self, *given: Any) -> IRunContext:
        context = self.well(*given)
        self.patch(context, "reserve", lambda name: lambda artifact: fail(self.error))
        return context

    def go(self) -> None:
        """Run a task whose worker must go."""
        self.run_task({"print": "hello"}, {"sleep": 5000}).shut_down(60)
        self.clock.advance(1)

    def folders(self) -> list[str]:
        return os.listdir(os.path.join(self.folder, "runs"))

    def test_it_is_left_to_the_next_start_which_has_nothing_more_to_tell_the_queue(self) -> None:
        self.go()
        self.queue.answer("report_exception")
        (left,) = self.facilities.memory.kept.values()
        self.assertEqual((self.ended, left.resolution, left.reported), ([WORKER_SHUTDOWN], WORKER_SHUTDOWN, True))
        self.patch(self.facilities, "new_context", self.well)
        self.successResultOf(Deferred.fromCoroutine(Recovery(self.facilities).settle([left])))
        log = gzip.decompress(self.facilities.contexts[-1].stored[BACKING]).decode()
        self.assertIn("hello", log)
        self.assertIn("the worker was told to be gone in 60 s", log.splitlines()[-1])
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))
        self.assertEqual(self.queue.methods(), ["report_exception"])

    def test_a_worker_that_stays_publishes_it_later_and_says_the_same(self) -> None:
        recovery = Recovery(self.facilities)
        self.facilities.publish_later = recovery.publish_later
        self.patch(self.facilities, "new_context", self.away_once)
        self.run_task({"print": "hello"}, {"sleep": 5000}).taken_away(CANCELED)
        self.clock.advance(1)
        self.assertEqual(self.ended, [CANCELED])
        context = self.facilities.contexts[-1]
        lines = gzip.decompress(context.stored[BACKING]).decode().splitlines()
        self.assertEqual([line for line in lines if "canceled" in line][-1:], lines[-1:])
        self.assertEqual(lines.count(lines[-1]), 1)
        self.assertEqual(read_verdict(gzip.decompress(context.stored[VERDICT]))["cause"], "canceled")
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))

    def away_once(self, *given: Any) -> IRunContext:
        return self.well(*given) if self.facilities.contexts else self.away(*given)

    def test_one_that_goes_does_not_begin_that(self) -> None:
        later: list[RunRecord] = []
        self.facilities.publish_later = later.append
        self.go()
        self.queue.answer("report_exception")
        self.assertEqual((self.ended, later), ([WORKER_SHUTDOWN], []))

    def test_a_verdict_alone_is_published_later_too(self) -> None:
        later: list[RunRecord] = []
        self.facilities.publish_later = later.append
        self.patch(self.facilities, "new_context", self.without_verdict)
        self.run_task({"print": "hello"}, {"sleep": 5000}).taken_away(CANCELED)
        self.clock.advance(1)
        (left,) = later
        self.assertEqual((left.resolution, left.reported, len(self.folders())), (CANCELED, True, 1))
        self.patch(self.facilities, "new_context", self.well)
        self.successResultOf(Deferred.fromCoroutine(Recovery(self.facilities).settle([left])))
        self.assertEqual(sorted(self.facilities.contexts[-1].stored), [VERDICT])

    def without_verdict(self, *given: Any) -> IRunContext:
        context = self.well(*given)
        reserve = context.reserve
        self.patch(context, "reserve", lambda name: (lambda _: fail(self.error)) if name == VERDICT else reserve(name))
        return context

    def test_so_it_is_if_the_queue_is_away_too(self) -> None:
        self.go()
        for _ in range(60):
            if self.queue.waiting("report_exception"):
                self.queue.lose("report_exception")
            self.clock.advance(1)
        (left,) = self.facilities.memory.kept.values()
        self.assertEqual((self.ended, left.reported, len(self.folders())), ([WORKER_SHUTDOWN], False, 1))

    def test_of_a_run_that_was_cancelled_too_and_the_next_start_knows_that(self) -> None:
        self.run_task({"sleep": 5000}).taken_away(CANCELED)
        self.clock.advance(1)
        (left,) = self.facilities.memory.kept.values()
        self.assertEqual((self.ended, left.resolution, left.reported), ([CANCELED], CANCELED, True))
        self.patch(self.facilities, "new_context", self.well)
        self.successResultOf(Deferred.fromCoroutine(Recovery(self.facilities).settle([left])))
        verdict = read_verdict(gzip.decompress(self.facilities.contexts[-1].stored[VERDICT]))
        self.assertEqual((verdict["cause"], self.queue.methods()), ("canceled", []))

    def test_of_a_failed_run_the_queue_takes_none(self) -> None:
        self.run_task({"exit": 3})
        self.queue.answer("report_failed")
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))

    def test_what_is_refused_is_not_tried_again(self) -> None:
        self.error = ResourceUnavailable.refused("artifact", "403")
        self.go()
        self.queue.answer("report_exception")
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))

    def test_nor_is_anything_when_the_credentials_are_over(self) -> None:
        self.facilities.time = ServerTime(self.clock.seconds)
        self.go()
        self.facilities.time.heard(formatdate(NEVER, usegmt=True), self.clock.seconds())
        self.queue.answer("report_exception")
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))


class ToldTooLate(Running):
    """A run that went as it should, of which the queue cannot be told while the claim lasts."""

    def lose_reports(self, seconds: int) -> None:
        for _ in range(seconds):
            for call in [*self.queue.waiting("report_completed"), *self.queue.waiting("reclaim_task")]:
                self.queue.lose(call.method)
            self.clock.advance(1)

    def test_has_a_verdict_when_the_claim_is_over(self) -> None:
        self.run_task({"print": "hello"})
        self.lose_reports(1190)
        self.assertNotIn(VERDICT, self.facilities.contexts[0].stored)
        self.lose_reports(20)
        self.assertEqual((self.verdict["cause"], self.verdict["reason"]), ("claim-lost", "claim-expired"))
        self.assertIn("the run was completed, but the queue could not be told", self.verdict["message"])
        self.assertEqual((self.facilities.memory.kept, os.listdir(os.path.join(self.folder, "runs"))), ({}, []))
