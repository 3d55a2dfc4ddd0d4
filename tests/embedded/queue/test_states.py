"""The table of a task's states, row by row (contracts of the queue, 1.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.faults import ApiError
from tcworker.embedded.queue import states
from tcworker.embedded.queue.states import Run, Task

PENDING = Run(0, "pending", "scheduled", 1)
RUNNING = replace(PENDING, state="running", worker_group="g", worker_id="w", taken_until=50, started=2)


def task(*runs: Run, retries: int = 5, deadline: int = 100) -> Task:
    return Task("t", "p/w", "-", "none", "t", "lowest", deadline, 200, retries, retries, "all-completed", runs)


def over(state: str, reason: str) -> Run:
    return replace(RUNNING, state=state, reason_resolved=reason, resolved=9)


COMPLETED, FAILED = over("completed", "completed"), over("failed", "failed")
CANCELED = over("exception", "canceled")


def ends(task: Task) -> list[tuple[str, str | None, str]]:
    return [(run.state, run.reason_resolved, run.reason_created) for run in task.runs]


class StatesTestCase(SynchronousTestCase):
    def conflicts(self, change: Callable[[], Task]) -> None:
        self.assertEqual(self.assertRaises(ApiError, change).code, "RequestConflict")


class Reports(StatesTestCase):
    def test_a_run_ends_as_reported(self) -> None:
        for state in ("completed", "failed"):
            after = states.report(task(RUNNING), 0, state, 9)
            self.assertEqual(after.runs, (over(state, state),))

    def test_saying_it_again_changes_nothing(self) -> None:
        before = task(COMPLETED)
        self.assertIs(states.report(before, 0, "completed", 10), before)

    def test_another_end_than_before(self) -> None:
        for run in (COMPLETED, CANCELED, PENDING):
            self.conflicts(lambda run=run: states.report(task(run), 0, "failed", 10))

    def test_a_run_that_is_not_the_latest(self) -> None:
        self.conflicts(lambda: states.report(task(COMPLETED, replace(PENDING, run_id=1)), 0, "completed", 10))

    def test_a_run_that_never_was(self) -> None:
        error = self.assertRaises(ApiError, states.report, task(RUNNING), 1, "completed", 9)
        self.assertEqual(error.code, "ResourceNotFound")

    def test_after_the_deadline_it_still_counts(self) -> None:
        self.assertEqual(states.report(task(RUNNING), 0, "completed", 101).state, "completed")


class Exceptions(StatesTestCase):
    def test_most_end_the_task(self) -> None:
        for reason in ("malformed-payload", "resource-unavailable", "internal-error"):
            after = states.report_exception(task(RUNNING), 0, reason, 9)
            self.assertEqual(ends(after), [("exception", reason, "scheduled")])

    def test_some_are_tried_again(self) -> None:
        for reason, created in (("worker-shutdown", "retry"), ("intermittent-task", "task-retry")):
            after = states.report_exception(task(RUNNING), 0, reason, 9)
            self.assertEqual(ends(after), [("exception", reason, "scheduled"), ("pending", None, created)])
            self.assertEqual((after.retries_left, after.state), (4, "pending"))

    def test_unless_no_retries_are_left(self) -> None:
        after = states.report_exception(task(RUNNING, retries=0), 0, "worker-shutdown", 9)
        self.assertEqual(ends(after), [("exception", "worker-shutdown", "scheduled")])

    def test_saying_it_again_changes_nothing_while_one_newer_run_is_there(self) -> None:
        once = states.report_exception(task(RUNNING), 0, "worker-shutdown", 9)
        self.assertIs(states.report_exception(once, 0, "worker-shutdown", 10), once)
        twice = replace(once, runs=(*once.runs, replace(PENDING, run_id=2)))
        self.conflicts(lambda: states.report_exception(twice, 0, "worker-shutdown", 10))

    def test_another_reason_than_before(self) -> None:
        for run in (CANCELED, COMPLETED, PENDING):
            self.conflicts(lambda run=run: states.report_exception(task(run), 0, "internal-error", 10))


class Claims(StatesTestCase):
    def test_a_claim(self) -> None:
        self.assertEqual(states.claim(task(PENDING), 0, "g", "w", 2, 50).runs, (RUNNING,))

    def test_reclaiming_lasts_longer_never_shorter(self) -> None:
        self.assertEqual(states.reclaim(task(RUNNING), 0, 3, 60).runs[0].taken_until, 60)
        self.assertEqual(states.reclaim(task(RUNNING), 0, 3, 40).runs[0].taken_until, 50)

    def test_what_cannot_be_reclaimed(self) -> None:
        for run in (PENDING, COMPLETED, CANCELED):
            self.conflicts(lambda run=run: states.reclaim(task(run), 0, 3, 60))
        self.conflicts(lambda: states.reclaim(task(RUNNING), 0, 101, 160))
        self.conflicts(lambda: states.reclaim(task(RUNNING, replace(RUNNING, run_id=1)), 0, 3, 60))

    def test_an_expired_claim_is_tried_again(self) -> None:
        after = states.expire_claim(task(RUNNING), 0, 50, 50)
        self.assertEqual(ends(after), [("exception", "claim-expired", "scheduled"), ("pending", None, "retry")])

    def test_a_claim_that_is_not_what_it_was_does_not_expire(self) -> None:
        for before, taken_until, now in (
            (task(RUNNING), 49, 50),
            (task(COMPLETED), 50, 50),
            (task(RUNNING), 50, 101),
            (task(over("exception", "worker-shutdown"), replace(PENDING, run_id=1)), 50, 50),
        ):
            self.assertIs(states.expire_claim(before, 0, taken_until, now), before)

    def test_a_claim_by_name(self) -> None:
        self.assertEqual(states.claim_by_name(task(PENDING), 0, "g", "w", 2, 50).runs, (RUNNING,))

    def test_what_cannot_be_claimed_by_name(self) -> None:
        for run in (RUNNING, COMPLETED, CANCELED):
            self.conflicts(lambda run=run: states.claim_by_name(task(run), 0, "g", "w", 3, 60))
        self.conflicts(lambda: states.claim_by_name(task(PENDING), 0, "g", "w", 101, 160))
        self.conflicts(lambda: states.claim_by_name(task(PENDING, replace(PENDING, run_id=1)), 0, "g", "w", 3, 60))
        error = self.assertRaises(ApiError, states.claim_by_name, task(PENDING), 1, "g", "w", 3, 60)
        self.assertEqual(error.code, "ResourceNotFound")

    def test_a_worker_that_is_gone_is_a_retry(self) -> None:
        after = states.lose_worker(task(RUNNING), 0, 9)
        self.assertEqual(ends(after), [("exception", "worker-shutdown", "scheduled"), ("pending", None, "retry")])

    def test_a_worker_that_is_gone_takes_nothing_with_it_that_it_did_not_have(self) -> None:
        newer = replace(PENDING, run_id=1)
        late = task(RUNNING)
        for before, now in ((task(COMPLETED), 9), (task(PENDING), 9), (task(CANCELED, newer), 9), (late, 101)):
            self.assertIs(states.lose_worker(before, 0, now), before)


class Ends(StatesTestCase):
    def test_cancelling_and_the_deadline_end_whatever_is_not_over(self) -> None:
        for end, reason, now in ((states.cancel, "canceled", 9), (states.pass_deadline, "deadline-exceeded", 109)):
            for run in (PENDING, RUNNING):
                self.assertEqual(ends(end(task(run), now)), [("exception", reason, "scheduled")])

    def test_a_task_without_a_run_gets_one_that_says_so(self) -> None:
        [run] = states.cancel(task(), 9).runs
        self.assertEqual(run, Run(0, "exception", "exception", 9, "canceled", resolved=9))

    def test_what_is_over_stays_as_it_is(self) -> None:
        for run in (COMPLETED, FAILED, CANCELED):
            before = task(run)
            self.assertIs(states.cancel(before, 10), before)
            self.assertIs(states.pass_deadline(before, 109), before)

    def test_nothing_is_cancelled_after_the_deadline(self) -> None:
        for run in (RUNNING, COMPLETED):
            self.conflicts(lambda run=run: states.cancel(task(run), 101))


class Reruns(StatesTestCase):
    def test_what_is_over_or_never_began_gets_another_run(self) -> None:
        for runs in ((), (COMPLETED,), (FAILED,), (CANCELED,)):
            after = states.rerun(task(*runs), 10)
            self.assertEqual((after.state, after.runs[-1].reason_created), ("pending", "rerun"))

    def test_retries_are_given_back_as_far_as_runs_are_left(self) -> None:
        spent = replace(task(FAILED), retries_left=0)
        self.assertEqual(states.rerun(spent, 10).retries_left, 5)
        many = task(*(replace(FAILED, run_id=n) for n in range(48)))
        self.assertEqual(states.rerun(many, 10).retries_left, 1)

    def test_what_waits_or_runs_stays_as_it_is(self) -> None:
        for run in (PENDING, RUNNING):
            before = task(run)
            self.assertIs(states.rerun(before, 10), before)

    def test_not_for_ever(self) -> None:
        many = task(*(replace(FAILED, run_id=n) for n in range(50)))
        self.conflicts(lambda: states.rerun(many, 10))
        self.conflicts(lambda: states.rerun(task(FAILED), 101))


class Schedules(StatesTestCase):
    def test_a_task_without_runs_gets_one(self) -> None:
        self.assertEqual(ends(states.schedule_by_user(task(), 9)), [("pending", None, "scheduled")])

    def test_any_other_stays_as_it_is(self) -> None:
        for run in (PENDING, RUNNING, COMPLETED, CANCELED):
            before = task(run)
            self.assertIs(states.schedule_by_user(before, 9), before)

    def test_nothing_is_scheduled_after_the_deadline(self) -> None:
        for runs in ((), (COMPLETED,)):
            self.conflicts(lambda runs=runs: states.schedule_by_user(task(*runs), 101))


class Priorities(StatesTestCase):
    def test_of_what_is_not_over(self) -> None:
        for runs in ((), (PENDING,), (RUNNING,), (over("exception", "worker-shutdown"), replace(PENDING, run_id=1))):
            after = states.change_priority(task(*runs), "high", 9)
            self.assertEqual(after, replace(task(*runs), priority="high"))

    def test_what_cannot_be_changed(self) -> None:
        rerun = replace(PENDING, run_id=1, reason_created="rerun")
        for runs in ((COMPLETED,), (FAILED,), (CANCELED,), (FAILED, rerun)):
            self.conflicts(lambda runs=runs: states.change_priority(task(*runs), "high", 9))
        self.conflicts(lambda: states.change_priority(task(PENDING), "lowest", 9))
        self.conflicts(lambda: states.change_priority(task(PENDING), "high", 101))

    def test_a_first_run_by_a_rerun_does_not_mean_that_it_was_over(self) -> None:
        self.assertFalse(states.rerun(task(), 9).ever_resolved)


class Status(StatesTestCase):
    def test_what_is_not_there_is_left_out(self) -> None:
        self.assertEqual(
            task(PENDING).status()["runs"],
            [{"runId": 0, "state": "pending", "reasonCreated": "scheduled", "scheduled": "1970-01-01T00:00:00.001Z"}],
        )

    def test_a_task_without_runs_is_unscheduled(self) -> None:
        status = task().status()
        self.assertEqual((status["state"], status["runs"]), ("unscheduled", []))
        self.assertEqual((status["provisionerId"], status["workerType"]), ("p", "w"))
