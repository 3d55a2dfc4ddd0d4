"""What a worker does about the runs of one that died."""

from __future__ import annotations

import errno
import os
import sqlite3
from datetime import timedelta
from email.utils import formatdate

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims import recovery
from tcworker.claims.left_folders import remove_unknown
from tcworker.claims.recovery import CLOSE_SECONDS, PATIENCE, Recovery
from tcworker.client.server_time import ServerTime
from tcworker.errors import CallFailed, ResourceUnavailable
from tcworker.interfaces import Credentials
from tcworker.state import RunRecord
from tcworker.task.facilities import Facilities
from tcworker.task.log_raw import NAME
from tcworker.task.resolution import CANCELED, CLAIM_LOST, COMPLETED, FAILED, Resolution
from tcworker.testing.facilities import FakeFacilities
from tcworker.waiting import now


class LeftRuns(SynchronousTestCase):
    """Runs in the state store when a worker boots."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = self.mktemp()
        self.facilities = FakeFacilities(self.clock, self.folder)
        self.queue = self.facilities.queue
        # Of these runs nothing is known beside them.
        self.queue.always("task", CallFailed("task", 404, "ResourceNotFound", "no such task"))
        self.recovery = Recovery(self.facilities)
        self.decided: list[Resolution | None] = []

    def left(
        self, name: str, resolution: Resolution | None = None, *, seconds: float = 600, reported: bool = False
    ) -> RunRecord:
        until = now(self.clock) + timedelta(seconds=seconds)
        run = RunRecord(name, 0, until, Credentials("run", "secret"), resolution=resolution, reported=reported)
        self.facilities.memory.claimed(run)
        os.makedirs(os.path.join(self.folder, "runs", f"{name}-0"))
        return run

    def settle(self, *left: RunRecord) -> Deferred[None]:
        return Deferred.fromCoroutine(self.recovery.settle(left))

    def lose_reports(self, seconds: int) -> None:
        """Let time pass in which the queue is away."""
        for _ in range(seconds):
            for call in self.queue.waiting("report_completed"):
                self.queue.lose(call.method)
            self.clock.advance(1)

    def folders(self) -> list[str]:
        return os.listdir(os.path.join(self.folder, "runs"))

    def test_one_that_was_under_way_goes_to_another_worker(self) -> None:
        settled = self.settle(self.left("a"))
        self.assertNoResult(settled)
        self.assertEqual(self.queue.answer("report_exception").body, {"reason": "worker-shutdown"})
        self.successResultOf(settled)
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))

    def test_what_was_decided_is_reported_as_it_was(self) -> None:
        settled = self.settle(self.left("a", COMPLETED), self.left("b", FAILED))
        self.queue.answer("report_completed")
        self.queue.answer("report_failed")
        self.successResultOf(settled)
        self.assertEqual(self.facilities.memory.kept, {})

    def test_what_was_reported_is_only_cleaned_up(self) -> None:
        self.successResultOf(self.settle(self.left("a", COMPLETED, reported=True)))
        self.assertEqual((self.queue.calls, self.folders()), ([], []))

    def test_after_the_end_of_the_claim_there_is_nothing_to_say(self) -> None:
        self.successResultOf(self.settle(self.left("a", seconds=-1)))
        self.assertEqual((self.queue.calls, self.facilities.memory.kept), ([], {}))

    def test_a_claim_that_is_over_only_by_a_clock_that_is_wrong_is_not(self) -> None:
        self.facilities.time = ServerTime(self.clock.seconds)
        settled = self.settle(self.left("a", COMPLETED, seconds=-3600))
        self.queue.answer("report_completed")
        self.successResultOf(settled)
        self.assertEqual((len(self.queue.calls), self.facilities.memory.kept), (1, {}))

    def test_one_that_is_over_by_the_server_s_own_is_not_tried_on(self) -> None:
        self.clock.advance(1_900_000_000)
        self.facilities.time = ServerTime(self.clock.seconds)
        settled = self.settle(self.left("a", COMPLETED, seconds=-3600))
        self.facilities.time.heard(formatdate(self.clock.seconds(), usegmt=True), self.clock.seconds())
        self.queue.refuse("report_completed", 401, "AuthenticationFailed")
        self.successResultOf(settled)
        self.assertEqual((len(self.queue.calls), self.facilities.memory.kept), (1, {}))

    def test_one_that_only_its_own_clock_calls_over_is_tried_until_the_queue_is_back_and_its_log_published_then(
        self,
    ) -> None:
        self.clock.advance(1_900_000_000)
        self.facilities.time = ServerTime(self.clock.seconds)
        asked = self.publish_logs(succeed(None))
        settled = self.settle(self.left("a", seconds=60))
        with capturedLogs() as told:
            for _ in range(120):
                for _ in self.queue.waiting("report_exception"):
                    self.queue.lose("report_exception")
                self.clock.advance(1)
        self.successResultOf(settled)
        self.assertEqual((asked, len(self.facilities.memory.kept)), ([], 1))
        self.assertNotIn("reported as", " ".join(str(formatEvent(event)) for event in told))
        self.clock.advance(30)
        self.facilities.time.heard(formatdate(self.clock.seconds(), usegmt=True), self.clock.seconds())
        self.queue.refuse("report_exception", 409, "RequestConflict")
        self.queue.answer("status", {"status": {"runs": [{"runId": 0, "reasonResolved": "claim-expired"}]}})
        self.assertEqual((asked, self.facilities.memory.kept, self.clock.getDelayedCalls()), (["a"], {}, []))

    def test_a_log_that_is_too_late_only_by_a_clock_that_may_be_wrong_waits_for_a_better_one(self) -> None:
        self.clock.advance(1_900_000_000)
        self.facilities.time = ServerTime(self.clock.seconds)
        asked = self.publish_logs(succeed(None))
        self.successResultOf(self.settle(self.left("a", seconds=-3600, reported=True)))
        self.assertEqual(asked, [])
        self.facilities.time.heard(formatdate(self.clock.seconds(), usegmt=True), self.clock.seconds())
        self.clock.advance(10)
        self.assertEqual((asked, self.facilities.memory.kept, self.clock.getDelayedCalls()), (["a"], {}, []))

    def test_a_full_disk_keeps_no_log_from_being_published_is_said_in_one_line_and_forgets_when_it_can(self) -> None:
        full, memory = sqlite3.OperationalError("database or disk is full"), self.facilities.memory
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        done = memory.done
        for method in ("reported", "done"):
            self.patch(memory, method, lambda *run: fail(full))
        asked = self.publish_logs(succeed(None))
        with capturedLogs() as told:
            settled = self.settle(self.left("a"), self.left("b"))
            for _ in "ab":
                self.queue.answer("report_exception")
            for _ in range(60):
                self.clock.advance(1)
        self.successResultOf(settled)
        self.assertEqual((sorted(asked), len(memory.kept)), (["a", "b"], 2))
        self.assertEqual(len([event for event in told if "full" in str(formatEvent(event))]), 1)
        self.patch(memory, "done", done)
        self.clock.advance(30)
        self.assertEqual((memory.kept, self.clock.getDelayedCalls()), ({}, []))

    def test_a_log_that_the_disk_has_no_room_for_is_published_when_it_has(self) -> None:
        answers = [fail(ResourceUnavailable.no_disk("full", "x", OSError(errno.ENOSPC, "full"))), succeed(None)]
        self.patch(recovery, "publish_left_log", lambda *of_run: answers.pop(0))
        self.settle(self.left("a", reported=True))
        self.assertEqual((len(self.facilities.memory.kept), self.folders()), (1, ["a-0"]))
        self.clock.advance(10)
        self.assertEqual((self.facilities.memory.kept, self.clock.getDelayedCalls()), ({}, []))

    def test_an_outage_keeps_the_worker_from_nothing_and_is_sat_out_beside_it(self) -> None:
        settled = self.settle(self.left("a", COMPLETED))
        self.lose_reports(int(PATIENCE) - 1)
        self.assertNoResult(settled)
        self.lose_reports(300)
        self.successResultOf(settled)
        self.assertEqual(len(self.facilities.memory.kept), 1)
        self.clock.advance(30)
        self.queue.answer("report_completed")
        self.assertEqual((self.facilities.memory.kept, self.clock.getDelayedCalls()), ({}, []))

    def test_an_outage_longer_than_the_claim_leaves_nothing_owed(self) -> None:
        self.settle(self.left("a", COMPLETED))
        self.lose_reports(601)
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_cannot_be_told_before_the_worker_goes_is_kept_for_the_next_start(self) -> None:
        settled = self.settle(self.left("a", COMPLETED))
        self.lose_reports(int(PATIENCE))
        self.successResultOf(settled)
        closed = self.recovery.close()
        self.lose_reports(int(CLOSE_SECONDS))
        self.successResultOf(closed)
        self.assertEqual((len(self.facilities.memory.kept), self.clock.getDelayedCalls()), (1, []))

    def test_a_boot_that_is_cancelled_waits_no_longer(self) -> None:
        settled = self.settle(self.left("a"))
        settled.cancel()
        self.failureResultOf(settled, CancelledError)
        closed = self.recovery.close()
        self.queue.answer("report_exception")
        self.successResultOf(closed)
        self.assertEqual((self.facilities.memory.kept, self.clock.getDelayedCalls()), ({}, []))

    def publish_logs(self, published: Deferred[None]) -> list[str]:
        """Publish left logs, which takes until C{published} fires; gives the list of runs whose logs are asked for."""
        asked: list[str] = []

        def publish(record: RunRecord, facilities: Facilities, decided: Resolution | None) -> Deferred[None]:
            asked.append(record.task_id)
            self.decided.append(decided)
            return published

        self.patch(recovery, "publish_left_log", publish)
        return asked

    def test_its_log_is_published_beside_the_first_claim_and_before_its_folder_goes(self) -> None:
        published: Deferred[None] = Deferred()
        asked = self.publish_logs(published)
        settled = self.settle(self.left("a"))
        self.assertEqual(asked, [])
        self.queue.answer("report_exception")
        self.successResultOf(settled)
        self.assertEqual((asked, self.folders()), (["a"], ["a-0"]))
        self.assertTrue(self.facilities.memory.kept["a", 0].reported)
        published.callback(None)
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))

    def test_a_log_that_is_not_published_when_the_worker_goes_is_left_to_the_next_start(self) -> None:
        self.publish_logs(Deferred())
        self.settle(self.left("a", reported=True))
        closed = self.recovery.close()
        self.clock.advance(CLOSE_SECONDS)
        self.successResultOf(closed)
        self.assertEqual((len(self.facilities.memory.kept), self.folders()), (1, ["a-0"]))

    def test_a_log_of_which_nobody_knows_what_must_not_be_seen_outlives_this_and_the_next_start(self) -> None:
        run = self.left("a", reported=True)
        with open(os.path.join(self.folder, "runs", "a-0", NAME), "w") as file:
            file.write("printed")
        self.successResultOf(self.settle(run))
        remove_unknown(self.facilities.folder_of_runs, [])
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))
        with open(os.path.join(self.folder, "kept-logs", "a-0", NAME)) as file:
            self.assertEqual(file.read(), "printed")

    def test_one_that_cannot_be_kept_stays_where_it_is_until_it_can(self) -> None:
        run = self.left("a", reported=True)
        for path in ("runs/a-0/" + NAME, "kept-logs"):
            with open(os.path.join(self.folder, path), "w"):
                pass
        self.successResultOf(self.settle(run))
        self.assertEqual((len(self.facilities.memory.kept), self.folders()), (1, ["a-0"]))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_of_a_completed_one_that_was_told_too_late_there_is_a_verdict_to_publish(self) -> None:
        asked = self.publish_logs(succeed(None))
        self.successResultOf(self.settle(self.left("a", COMPLETED, seconds=-1)))
        self.assertEqual((asked, self.queue.methods(), self.facilities.memory.kept), (["a"], [], {}))

    def test_what_a_run_of_this_worker_s_own_left_is_published_beside_the_next_tasks(self) -> None:
        publishing: Deferred[None] = Deferred()
        asked = self.publish_logs(publishing)
        self.recovery.publish_later(self.left("a", CANCELED, reported=True))
        self.assertEqual((asked, self.queue.methods(), self.folders()), (["a"], [], ["a-0"]))
        publishing.callback(None)
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))

    def test_or_left_to_the_next_start_when_the_worker_goes(self) -> None:
        cancelled: list[object] = []
        self.publish_logs(Deferred(cancelled.append))
        self.recovery.publish_later(self.left("a", CANCELED, reported=True))
        closing = self.recovery.close()
        self.clock.advance(CLOSE_SECONDS)
        self.successResultOf(closing)
        self.assertEqual((len(cancelled), len(self.facilities.memory.kept), self.folders()), (1, 1, ["a-0"]))

    def test_of_a_completed_run_there_is_no_log_to_publish(self) -> None:
        asked = self.publish_logs(Deferred())
        self.settle(self.left("a", COMPLETED))
        self.queue.answer("report_completed")
        self.assertEqual((asked, self.facilities.memory.kept), ([], {}))

    def refuse(self, run: RunRecord, **answer: str) -> str:
        """Let the queue refuse that a run was completed, and say how it ended; gives what was logged."""
        self.settle(run)
        with capturedLogs() as told:
            self.queue.refuse("report_completed")
            self.queue.answer("status", {"status": {"runs": [{"runId": 0, **answer}]}})
        return " ".join(str(formatEvent(event)) for event in told)

    def test_of_a_completed_one_that_the_queue_gave_away_there_is_a_verdict_to_publish(self) -> None:
        # Who has just started knows no other clock, and cannot tell by its own that the claim is over.
        self.facilities.time = ServerTime(self.clock.seconds)
        published: Deferred[None] = Deferred()
        asked = self.publish_logs(published)
        told = self.refuse(self.left("a", COMPLETED, seconds=-5), state="exception", reasonResolved="claim-expired")
        self.assertEqual((asked, self.decided), (["a"], [CLAIM_LOST]))
        self.assertIn("the queue has ended it as exception/claim-expired", told)
        self.assertNotIn("reported as", told)
        # Should this worker die before it is published, the next one has nothing to tell either.
        kept = self.facilities.memory.kept["a", 0]
        self.assertEqual((kept.resolution, kept.reported), (CLAIM_LOST, True))
        published.callback(None)
        self.assertEqual((self.facilities.memory.kept, self.clock.getDelayedCalls()), ({}, []))

    def test_and_of_one_that_was_cancelled_while_there_was_no_worker(self) -> None:
        asked = self.publish_logs(succeed(None))
        self.refuse(self.left("a", COMPLETED), state="exception", reasonResolved="canceled")
        self.assertEqual((asked, self.decided, self.facilities.memory.kept), (["a"], [CANCELED], {}))

    def test_what_the_queue_does_not_say_keeps_neither_the_first_claim_nor_the_verdict_for_long(self) -> None:
        asked = self.publish_logs(succeed(None))
        settled = self.settle(self.left("a", COMPLETED))
        self.queue.refuse("report_completed")
        self.clock.advance(10)
        self.successResultOf(settled)
        self.assertEqual((asked, self.decided, self.facilities.memory.kept), (["a"], [CANCELED], {}))

    def test_one_that_somebody_else_has_reported_like_that_is_over(self) -> None:
        asked = self.publish_logs(succeed(None))
        self.refuse(self.left("a", COMPLETED), state="completed", reasonResolved="completed")
        self.assertEqual((asked, self.facilities.memory.kept), ([], {}))

    def test_one_that_cannot_be_settled_keeps_no_other_from_it(self) -> None:
        first, second = self.left("a", reported=True), self.left("b", reported=True)
        done = self.facilities.memory.done
        self.patch(
            self.facilities.memory, "done", lambda task, run: fail(OSError("disk")) if task == "a" else done(task, run)
        )
        self.successResultOf(self.settle(first, second))
        self.assertEqual([task for task, _ in self.facilities.memory.kept], ["a"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
