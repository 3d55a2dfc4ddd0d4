"""What the queue does by itself: deadlines, dependencies, and all of it after a restart."""

from __future__ import annotations

import slugid

from tcworker.embedded.queue import agenda
from tcworker.embedded.queue.dependency_store import DependencyStore
from tcworker.embedded.times import Times
from tests.embedded.wire import WireTestCase


class Deadlines(WireTestCase):
    def test_a_task_ends_a_minute_after_its_deadline(self) -> None:
        for begin in (self.create, lambda **more: self.run_of_own(**more)[0].split("/")[2]):
            task_id = begin(deadline=self.date(minutes=10))
            self.reactor.advance(659)
            self.assertNotEqual(self.status(task_id)["state"], "exception")
            self.reactor.advance(1)
            self.assertEqual(self.ends(task_id), [("exception", "deadline-exceeded")])

    def test_one_that_is_over_stays_as_it_is(self) -> None:
        run, credentials = self.run_of_own(deadline=self.date(minutes=10))
        self.ask("queue", "POST", f"{run}/completed", None, credentials)
        self.reactor.advance(700)
        self.assertEqual(self.ends(run.split("/")[2]), [("completed", "completed")])

    def test_a_run_does_not_lose_its_claim_after_the_deadline(self) -> None:
        run, _ = self.run_of_own(deadline=self.date(seconds=1170))
        self.reactor.advance(1201)
        self.assertEqual(self.ends(run.split("/")[2]), [("running", None)])
        self.reactor.advance(30)
        self.assertEqual(self.ends(run.split("/")[2]), [("exception", "deadline-exceeded")])


class Dependencies(WireTestCase):
    def test_a_task_waits_for_those_it_depends_on(self) -> None:
        first, second = self.run_of_own(), self.run_of_own()
        required = [run.split("/")[2] for run, _ in (first, second)]
        waiting = self.create(dependencies=required)
        self.assertEqual(self.status(waiting)["state"], "unscheduled")
        for number, (run, credentials) in enumerate((first, second)):
            self.ask("queue", "POST", f"{run}/completed", None, credentials)
            self.reactor.advance(5)
            self.assertEqual(self.status(waiting)["state"], ("unscheduled", "pending")[number])

    def test_no_longer_than_five_seconds(self) -> None:
        run, credentials = self.run_of_own()
        waiting = self.create(dependencies=[run.split("/")[2]])
        self.ask("queue", "POST", f"{run}/completed", None, credentials)
        self.assertEqual(self.status(waiting)["state"], "unscheduled")
        self.reactor.advance(5)
        self.assertEqual(self.status(waiting)["state"], "pending")

    def test_an_end_counts_even_if_another_run_follows_at_once(self) -> None:
        run, credentials = self.run_of_own()
        task_id = run.split("/")[2]
        strict, easy = self.create(dependencies=[task_id]), self.create(dependencies=[task_id], requires="all-resolved")
        self.ask("queue", "POST", f"{run}/failed", None, credentials)
        self.ask("queue", "POST", f"/task/{task_id}/rerun")
        self.reactor.advance(5)
        self.assertEqual([self.status(waiting)["state"] for waiting in (strict, easy)], ["unscheduled", "pending"])

    def test_a_failure_is_enough_only_for_who_says_so(self) -> None:
        run, credentials = self.run_of_own()
        required = [run.split("/")[2]]
        strict, easy = self.create(dependencies=required), self.create(dependencies=required, requires="all-resolved")
        self.ask("queue", "POST", f"{run}/failed", None, credentials)
        self.reactor.advance(5)
        self.assertEqual([self.status(one)["state"] for one in (strict, easy)], ["unscheduled", "pending"])

    def test_a_retry_releases_nobody(self) -> None:
        run, credentials = self.run_of_own()
        easy = self.create(dependencies=[run.split("/")[2]], requires="all-resolved")
        self.ask("queue", "POST", f"{run}/exception", {"reason": "worker-shutdown"}, credentials)
        self.reactor.advance(10)
        self.assertEqual(self.status(easy)["state"], "unscheduled")

    def test_what_is_over_already_is_not_waited_for(self) -> None:
        run, credentials = self.run_of_own()
        self.ask("queue", "POST", f"{run}/completed", None, credentials)
        self.assertEqual(self.status(self.create(dependencies=[run.split("/")[2]]))["state"], "pending")

    def test_a_task_that_waits_for_itself_waits_for_ever(self) -> None:
        task_id = str(slugid.nice())
        definition = self.definition(dependencies=[task_id])
        self.assertEqual(self.ask("queue", "PUT", f"/task/{task_id}", definition)["status"]["state"], "unscheduled")


class WithoutDelay(WireTestCase):
    times = Times(dependencies=0)

    def test_any_number_that_wait_are_released(self) -> None:
        self.patch(agenda, "ENTRIES_AT_ONCE", 2)
        run, credentials = self.run_of_own()
        waiting = [self.create(dependencies=[run.split("/")[2]]) for _ in range(5)]
        self.ask("queue", "POST", f"{run}/completed", None, credentials)
        self.reactor.advance(0)
        self.assertEqual([self.status(task_id)["state"] for task_id in waiting], ["pending"] * 5)

    def test_what_goes_wrong_is_tried_again(self) -> None:
        run, credentials = self.run_of_own()
        waiting = self.create(dependencies=[run.split("/")[2]])
        self.ask("queue", "POST", f"{run}/completed", None, credentials)
        broken = self.patch(DependencyStore, "waiting_for", lambda *_: 1 / 0)
        self.reactor.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        broken.restore()
        self.reactor.advance(5)
        self.assertEqual(self.status(waiting)["state"], "pending")

    def test_dependencies_are_released_at_once(self) -> None:
        run, credentials = self.run_of_own()
        waiting = self.create(dependencies=[run.split("/")[2]])
        self.ask("queue", "POST", f"{run}/completed", None, credentials)
        self.reactor.advance(0)
        self.assertEqual(self.status(waiting)["state"], "pending")


class Restarts(WireTestCase):
    def test_everything_is_still_there(self) -> None:
        waiting = self.create(priority="low")
        run, credentials = self.run_of_own(priority="high")
        self.stop(self.taskcluster)
        self.start()
        self.assertEqual(self.claim()["status"]["taskId"], waiting)
        self.ask("queue", "POST", f"{run}/completed", None, credentials)

    def test_what_came_due_meanwhile_is_done(self) -> None:
        run, _ = self.run_of_own(deadline=self.date(hours=3))
        self.stop(self.taskcluster)
        self.reactor.advance(1300)
        self.start()
        self.assertEqual(self.ends(run.split("/")[2]), [("exception", "claim-expired"), ("pending", None)])

    def test_what_is_due_later_is_done_later(self) -> None:
        run, _ = self.run_of_own(deadline=self.date(hours=3))
        self.stop(self.taskcluster)
        self.start()
        self.reactor.advance(1200)
        self.assertEqual(self.claim()["runId"], 1)
        self.assertEqual(self.ends(run.split("/")[2])[0], ("exception", "claim-expired"))
