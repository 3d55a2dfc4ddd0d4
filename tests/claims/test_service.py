"""Claiming, slots, and going: a worker's life on a clock of the test's own."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs, formatEvent, globalLogPublisher

from tcworker.claims.room import Room, Shortage
from tcworker.claims.service import ClaimService
from tcworker.errors import CallFailed, ConfigError, Fault
from tcworker.feature.registry import RunFeatures
from tcworker.interfaces import Credentials, ITaskContext, Reach
from tcworker.waiting import now
from tests.claims.case import EXIT, QUICK, SLEEP, Working


class OneSlot(Working):
    """The usual worker."""

    def test_it_asks_for_one_task_by_its_own_name(self) -> None:
        call = self.queue.waiting("claim_work")[0]
        self.assertEqual(call.args[0], "test/test")
        self.assertEqual(call.body, {"workerGroup": "test-worker-group", "workerId": "w1", "tasks": 1})

    def test_it_asks_again_when_the_task_is_over(self) -> None:
        self.give(SLEEP)
        self.assertEqual(self.asking, [])
        self.clock.advance(100)
        self.assertEqual(self.asking, [1])

    def test_the_next_task_runs_while_the_last_one_uploads(self) -> None:
        self.give(QUICK)
        self.assertEqual(self.queue.waiting("report_completed") != [], True)
        self.give(SLEEP)
        self.assertEqual(len(self.facilities.contexts), 2)

    def test_no_third_one_while_the_first_still_uploads(self) -> None:
        self.give(QUICK)
        self.give(QUICK)
        self.assertEqual(self.asking, [])
        self.queue.answer("report_completed")
        self.assertEqual(self.asking, [1])

    def test_an_early_answer_without_tasks_is_followed_by_a_pause(self) -> None:
        self.clock.advance(2)
        self.give()
        self.clock.advance(2.9)
        self.assertEqual(self.asking, [])
        self.clock.advance(0.2)
        self.assertEqual(self.asking, [1])

    def test_a_late_one_by_none(self) -> None:
        self.clock.advance(20)
        self.give()
        self.assertEqual(self.asking, [1])

    def test_taskcluster_away_is_asked_again_after_growing_pauses(self) -> None:
        waited = []
        for _ in range(4):
            self.queue.lose("claim_work")
            begun = self.clock.seconds()
            while not self.asking:
                self.clock.advance(0.5)
            waited.append(self.clock.seconds() - begun)
        self.assertEqual(waited, sorted(waited))
        self.assertGreater(waited[-1], 2 * waited[0])

    def test_a_claim_that_failed_is_said_in_one_line_also_if_it_may_have_claimed_something(self) -> None:
        for lost in (0, 1):
            self.queue.lost_claims += lost
            with capturedLogs() as events:
                self.queue.lose("claim_work")
            [line] = [formatEvent(event) for event in events]
            self.assertIn("no claim from https://tc.example.com, trying again", line)
            self.assertEqual("what it may have claimed is lost, 1 such answers so far" in line, bool(lost))
            self.clock.advance(60)

    def test_refused_credentials_end_the_worker_and_say_what_they_lack(self) -> None:
        self.queue.fail("claim_work", CallFailed("claimWork", 403, "InsufficientScopes", "no"))
        exit = self.successResultOf(self.stopped)
        self.assertEqual(exit.status, 69)
        for part in ("worker", "queue:claim-work:test/test", "queue:worker-id:test-worker-group/w1"):
            self.assertIn(part, exit.why)

    def test_more_tasks_than_were_asked_for_are_turned_away(self) -> None:
        self.give(SLEEP, SLEEP, SLEEP)
        self.assertEqual((len(self.facilities.contexts), self.reasons()), (1, ["worker-shutdown"] * 2))

    def test_a_refusal_that_is_not_taskcluster_s_ends_nothing(self) -> None:
        for status in (401, 403):
            self.queue.refuse("claim_work", status, "")
            self.clock.advance(60)
        self.assertEqual((self.asking, self.closed), ([1], []))

    def test_a_claim_that_cannot_be_read_does_not_hurt_the_others(self) -> None:
        good = self.facilities.claim_answer(SLEEP)
        self.queue.answer("claim_work", {"tasks": [{"status": {}}, None, good]})
        self.assertEqual(len(self.facilities.contexts), 1)

    def test_one_whose_end_nobody_knows_is_resolved_at_once(self) -> None:
        self.give_broken(takenUntil="soon")
        self.assertEqual((self.reasons(), self.asking), (["internal-error"], [1]))

    def test_so_is_one_of_a_task_that_is_none(self) -> None:
        self.give_broken(task={"payload": {}})
        self.assertEqual((self.reasons(), self.asking), (["malformed-payload"], [1]))

    def test_however_wrong_this_machine_s_clock_is(self) -> None:
        self.facilities.time.heard("Fri, 01 Jan 2100 00:00:00 GMT", self.clock.seconds())
        self.give_broken(takenUntil=None)
        self.assertEqual(self.reasons(), ["internal-error"])

    def test_until_the_queue_knows_it_is_remembered(self) -> None:
        self.give_broken(takenUntil=None)
        [record] = self.facilities.memory.kept.values()
        self.assertEqual((record.taken_until - now(self.clock)).total_seconds(), 1200)
        self.queue.answer("report_exception")
        self.assertEqual(self.facilities.memory.kept, {})

    def test_a_run_that_is_claimed_again_runs_on(self) -> None:
        self.give(SLEEP)
        self.clock.advance(0)
        self.claims.turn_away([self.facilities.claim(task_id="task-0")])
        self.assertEqual((len(self.facilities.contexts), self.reasons()), (1, []))

    def test_of_one_that_is_claimed_twice_in_an_answer_one_runs(self) -> None:
        claim = self.facilities.claim_answer(SLEEP)
        self.queue.answer("claim_work", {"tasks": [claim, claim]})
        self.clock.advance(0)
        self.assertEqual((len(self.facilities.contexts), self.reasons()), (1, []))

    def test_an_answer_that_is_none_counts_as_a_failure(self) -> None:
        for answer in ({"tusks": []}, {"tasks": {}}, []):
            self.queue.waiting("claim_work")[0].answer.callback(answer)
            self.assertEqual(self.asking, [])
            self.clock.advance(60)
            self.assertEqual(self.asking, [1])

    def test_a_clock_that_is_set_back_does_not_prolong_the_pause(self) -> None:
        self.clock.rightNow -= 3600
        self.give()
        self.clock.advance(5)
        self.assertEqual(self.asking, [1])

    def give_broken(self, **changes: Any) -> None:
        self.queue.answer("claim_work", {"tasks": [{**self.facilities.claim_answer(SLEEP), **changes}]})
        self.clock.advance(0)

    def test_those_who_watch_are_told_of_a_run_before_anything_happens(self) -> None:
        seen: list[ITaskContext] = []
        stop = self.claims.watch_runs(seen.append)
        self.give(QUICK)
        self.assertEqual([context.task_id for context in seen], ["task-0"])
        stop()
        stop()
        self.give(QUICK)
        self.assertEqual(len(seen), 1)

    def test_the_host_is_asked_while_nothing_runs(self) -> None:
        self.clock.advance(20)
        self.give()
        self.assertEqual(self.host.asked, [0.0, 20.0])
        self.host.go = True
        self.clock.advance(20)
        self.give()
        self.assertEqual(self.successResultOf(self.stopped).status, 70)


class WithoutTasks(Working):
    """Nothing to do, or no more than there is."""

    capacity = 2

    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)

    def hear(self, event: dict[str, Any]) -> None:
        if "no task claimed" in (line := formatEvent(event)):
            self.said.append(line)

    def wait(self, seconds: int) -> None:
        """For so long the queue has nothing, and says so at once."""
        for _ in range(seconds):
            self.clock.advance(1)
            if self.asking:
                self.give()

    def test_that_is_said_at_most_once_a_minute(self) -> None:
        self.wait(50)
        self.assertEqual(self.said, ["no task claimed: test/test has none for this worker"])
        self.wait(300)
        self.assertEqual(len(self.said), 6)

    def test_while_a_task_runs_it_is_not_said(self) -> None:
        self.give(SLEEP)
        self.wait(90)
        self.assertEqual(self.said, [])

    def test_it_waits_without_end(self) -> None:
        self.wait(10_000)
        self.assertNoResult(self.stopped)


class NewCredentials(Working):
    """The worker gets new ones while a task runs."""

    def test_no_log_has_them(self) -> None:
        self.give({"script": [{"sleep": 1}, {"print": "new-token of the worker"}]})
        self.host.renew(Credentials("worker", "new-token"))
        self.clock.advance(1)
        self.assertIn("[masked] of the worker", self.log_of(0))
        self.queue.answer("report_completed")
        self.clock.advance(0)
        self.give({"script": [{"print": "new-token again"}]})
        self.assertIn("[masked] again", self.log_of(1))

    def log_of(self, number: int) -> str:
        contents = self.facilities.contexts[number].stored
        return gzip.decompress(contents["public/logs/live_backing.log"]).decode()


class WhatGoesWrongAroundARun(Working):
    """Faults of others take no slot for good."""

    def test_somebody_who_watches_and_fails(self) -> None:
        self.claims.watch_runs(lambda context: 1 / 0)
        self.give(QUICK)
        self.queue.answer("report_completed")
        self.assertEqual(self.asking, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_run_that_cannot_begin_is_given_back(self) -> None:
        self.patch(self.facilities, "folder_of", lambda claim: "/dev/null/no")
        self.give(QUICK)
        self.assertEqual(self.reasons(), ["internal-error"])
        self.queue.answer("report_exception")
        self.assertEqual(self.asking, [1])
        self.flushLoggedErrors(NotADirectoryError)

    def test_a_run_that_is_over_at_once_is_in_hand_no_more(self) -> None:
        self.queue.always("report_exception", {})
        self.give({"malformed": "it is", "script": []})
        self.assertEqual(self.claims.hand.runs, [])

    def test_a_cancellation_noticed_by_others_ends_the_keeping_of_the_claim(self) -> None:
        self.give({"script": [{"ignore_term": True}, {"sleep": 5000}]})
        self.clock.advance(1018)
        self.claims.canceled("task-0")
        self.clock.advance(4)
        self.assertEqual(self.queue.made("reclaim_task"), [])


class WithoutOverlap(Working):
    """C{overlapUploads: false}."""

    settings = {"overlap_uploads": False}  # noqa: RUF012  # as above

    def test_the_next_task_waits_until_the_last_is_published(self) -> None:
        self.give(QUICK)
        self.assertEqual(self.asking, [])
        self.queue.answer("report_completed")
        self.assertEqual(self.asking, [1])


class WhatALaterTaskCouldReach(Working):
    """The next task is claimed when it can do no harm any more."""

    def give_one_that_uploads(self, reach: Reach) -> None:
        self.facilities.platforms[0].reach = reach
        self.uploading: Deferred[None] = Deferred()
        self.patch(RunFeatures, "upload", lambda features, result: self.uploading)
        self.give(QUICK)

    def test_nothing(self) -> None:
        self.give_one_that_uploads(Reach.NOTHING)
        self.assertEqual(self.asking, [1])

    def test_the_files_of_an_earlier_one(self) -> None:
        self.give_one_that_uploads(Reach.EACH_OTHER)
        self.assertEqual(self.asking, [])
        self.uploading.callback(None)
        self.assertEqual((self.asking, self.queue.made("report_completed")[0].waiting), ([1], True))

    def test_the_worker_s_files(self) -> None:
        self.give_one_that_uploads(Reach.WORKER)
        self.uploading.callback(None)
        self.assertEqual(self.asking, [])
        self.queue.answer("report_completed")
        self.assertEqual(self.asking, [1])


class ManySlots(Working):
    """A worker with four."""

    capacity = 4

    def test_it_asks_for_as_many_as_are_free(self) -> None:
        self.assertEqual(self.asking, [4])
        self.give(SLEEP, SLEEP, SLEEP)
        self.assertEqual(self.asking, [1])
        self.give(SLEEP)
        self.assertEqual(self.asking, [])

    def test_one_call_at_a_time(self) -> None:
        self.give(SLEEP, SLEEP, {"script": [{"sleep": 1}]})
        self.clock.advance(1)
        self.assertEqual(self.asking, [1])
        self.give(SLEEP)
        self.assertEqual(self.asking, [1])


class MoreThanTheQueueGives(Working):
    """More slots than one call may ask for."""

    capacity = 40

    def test_it_asks_for_32(self) -> None:
        self.assertEqual(self.asking, [32])


class WhenIdle(Working):
    """C{idleTimeoutSecs}."""

    settings = {"idle_timeout_secs": 30}  # noqa: RUF012  # as above

    def test_it_goes_when_nothing_ran_for_so_long(self) -> None:
        for _ in range(2):
            self.clock.advance(20)
            self.give()
        self.assertEqual(self.successResultOf(self.stopped).status, 68)

    def test_a_run_begins_the_time_anew(self) -> None:
        self.clock.advance(20)
        self.give(SLEEP)
        self.clock.advance(100)
        self.queue.answer("report_completed")
        self.clock.advance(20)
        self.give()
        self.assertNoResult(self.stopped)

    def test_a_worker_that_is_cut_off_goes_too(self) -> None:
        while not self.stopped.called:
            if self.asking:
                self.queue.lose("claim_work")
            self.clock.advance(1)
        self.assertEqual(self.successResultOf(self.stopped).status, 68)

    def test_the_host_is_asked_first(self) -> None:
        self.host.go = True
        self.clock.advance(40)
        self.give()
        self.assertEqual(self.successResultOf(self.stopped).status, 70)


class WhenIdleAfterALongBoot(Working):
    """C{idleTimeoutSecs}, when the host took its time."""

    settings = {"idle_timeout_secs": 30}  # noqa: RUF012  # as above

    def boot(self) -> None:
        self.clock.advance(600)
        super().boot()

    def test_it_counts_from_the_first_claim(self) -> None:
        self.clock.advance(20)
        self.give()
        self.assertNoResult(self.stopped)


class TooLittleDisk(Working):
    """C{requiredDiskSpaceMegabytes}."""

    def boot(self) -> None:
        self.facilities.config = replace(self.facilities.config, required_disk_space_megabytes=10**9)
        super().boot()

    def test_nothing_is_claimed(self) -> None:
        self.assertEqual(self.asking, [])
        self.clock.advance(60)
        self.assertEqual(self.asking, [])
        self.claims.shut_down(1, EXIT)
        self.successResultOf(self.stopped)

    def test_a_worker_without_tasks_goes_when_nobody_makes_room(self) -> None:
        self.clock.pump([5] * 119)
        self.assertNoResult(self.stopped)
        self.clock.pump([5] * 2)
        self.assertEqual(self.successResultOf(self.stopped).status, 69)


class TooLittleDiskForASecondTask(Working):
    """C{requiredDiskSpaceMegabytes}, while another one runs."""

    capacity = 2

    def test_nothing_is_claimed_until_there_is_room_again(self) -> None:
        lacking = [Shortage("full", 9999.0)] * 200
        self.patch(Room, "shortage", lambda room: succeed(lacking.pop() if lacking else None))
        self.give({"script": [{"sleep": 5000}]})
        self.clock.pump([5] * 199)
        self.assertEqual((self.asking, self.stopped.called), ([], False))
        self.clock.pump([5] * 2)
        self.assertEqual(self.asking, [1])


class Going(Working):
    """Drained, or stopped now."""

    capacity = 2

    def test_draining_lets_what_runs_finish(self) -> None:
        self.give(SLEEP)
        self.claims.drain(None, EXIT)
        self.give()
        self.clock.advance(100)
        self.assertNoResult(self.stopped)
        self.queue.answer("report_completed")
        self.assertEqual((self.successResultOf(self.stopped), self.closed), (EXIT, [EXIT]))

    def test_stopping_ends_what_runs_as_worker_shutdown(self) -> None:
        self.give(SLEEP)
        self.claims.shut_down(20, EXIT)
        self.give()
        self.clock.advance(1)
        self.assertEqual(self.reasons(), ["worker-shutdown"])
        self.queue.answer("report_exception")
        self.assertEqual(self.successResultOf(self.stopped), EXIT)

    def test_the_claim_in_flight_is_awaited_and_its_tasks_turned_away(self) -> None:
        for go in (lambda: self.claims.drain(None, EXIT), lambda: self.claims.shut_down(25, EXIT)):
            self.setUp()
            go()
            self.assertNoResult(self.stopped)
            self.give(SLEEP, SLEEP)
            self.assertEqual((self.reasons(), self.facilities.contexts), (["worker-shutdown"] * 2, []))
            self.queue.answer("report_exception")
            self.assertNoResult(self.stopped)
            self.queue.answer("report_exception")
            self.successResultOf(self.stopped)

    def test_one_that_is_turned_away_is_remembered_until_the_queue_knows(self) -> None:
        self.claims.drain(None, EXIT)
        self.give(SLEEP)
        self.assertEqual(
            [str(run.resolution) for run in self.facilities.memory.kept.values()], ["exception/worker-shutdown"]
        )
        self.queue.answer("report_exception")
        self.assertEqual(self.facilities.memory.kept, {})

    def test_one_that_cannot_be_remembered_is_turned_away_all_the_same(self) -> None:
        self.patch(self.facilities.memory, "claimed", lambda record: fail(OSError("disk")))
        self.claims.drain(None, EXIT)
        self.give(SLEEP)
        self.assertEqual(self.reasons(), ["worker-shutdown"])
        self.queue.answer("report_exception")
        self.successResultOf(self.stopped)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_but_not_for_ever(self) -> None:
        self.claims.drain(None, EXIT)
        self.clock.advance(20.5)
        self.assertNoResult(self.stopped)
        self.clock.advance(0.5)
        self.successResultOf(self.stopped)

    def test_a_drain_that_takes_too_long_becomes_a_stop_while_there_is_time(self) -> None:
        self.give(SLEEP)
        self.claims.drain(60, EXIT)
        self.give()
        self.clock.advance(34)
        self.assertEqual(self.reasons(), [])
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(self.reasons(), ["worker-shutdown"])

    def test_what_takes_longer_than_the_grace_is_left_to_the_state_store(self) -> None:
        self.give(SLEEP)
        self.claims.shut_down(10, EXIT)
        self.give()
        self.clock.pump([1.0] * 9)
        self.assertNoResult(self.stopped)
        self.clock.advance(1)
        self.assertEqual((self.successResultOf(self.stopped), self.closed), (EXIT, [EXIT]))
        self.assertEqual(len(self.facilities.memory.kept), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_cancellation_that_somebody_else_noticed(self) -> None:
        self.give(SLEEP)
        self.claims.canceled("task-1")
        self.clock.advance(1)
        self.assertEqual(self.facilities.contexts[0].published, [])
        self.claims.canceled("task-0")
        self.clock.advance(1)
        self.assertEqual(len(self.facilities.contexts[0].published), 3)
        self.assertEqual(self.facilities.memory.kept, {})

    def test_a_second_order_shortens(self) -> None:
        self.give(SLEEP)
        self.claims.shut_down(100, EXIT)
        self.claims.shut_down(5, EXIT)
        self.give()
        self.clock.advance(5)
        self.successResultOf(self.stopped)

    def test_when_it_is_over_no_timer_is_left(self) -> None:
        self.claims.shut_down(10, EXIT)
        self.give()
        self.successResultOf(self.stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Booting(Working):
    """Before the first claim."""

    def boot(self) -> None:
        pass

    def test_an_order_to_go_prevents_the_first_claim(self) -> None:
        self.claims.drain(None, EXIT)
        self.assertEqual(self.successResultOf(self.stopped), EXIT)
        self.assertEqual((self.queue.calls, self.closed), ([], [EXIT]))

    def test_a_boot_that_fails_fails_the_worker_once_all_is_closed(self) -> None:
        booted = self.claims.when_booted()
        error = ConfigError([Fault("worker.yml: capacity", "0", "1 to 255")])
        self.booting.errback(error)
        self.assertEqual(self.failureResultOf(self.stopped, ConfigError).value, error)
        self.failureResultOf(booted, ConfigError)
        self.assertEqual([exit.status for exit in self.closed], [73])

    def test_the_configured_time_counts_as_soon_as_it_is_known(self) -> None:
        deaf: Deferred[Any] = Deferred()
        deaf.addErrback(lambda failure: Deferred())
        claims = ClaimService(self.clock, self.host, lambda: deaf, self.close)
        claims.startService()
        claims.configured(replace(self.facilities.config, shutdown_grace_secs=7))
        claims.shut_down(None, EXIT)
        self.clock.advance(6)
        self.assertEqual(self.closed, [])
        self.clock.advance(1)
        self.assertEqual(self.closed, [EXIT])

    def test_those_who_wait_for_it_get_the_configuration(self) -> None:
        booted = self.claims.when_booted()
        self.booting.callback(self.facilities)
        self.assertEqual(self.successResultOf(booted), self.facilities.config)
