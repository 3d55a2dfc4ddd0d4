"""A worker that goes after so many tasks."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import fail

from tcworker.errors import StateUnusable
from tests.claims.case import EXIT, QUICK, SLEEP, Working


class ACountOfTasks(Working):
    """C{numberOfTasksToRun}."""

    capacity = 4
    settings = {"number_of_tasks_to_run": 2}  # noqa: RUF012  # as above

    def test_it_goes_after_them(self) -> None:
        self.assertEqual(self.asking, [2])
        self.give(QUICK)
        self.assertEqual(self.asking, [1])
        self.give(QUICK)
        self.assertEqual(self.asking, [])
        self.queue.answer("report_completed")
        self.assertNoResult(self.stopped)
        self.queue.answer("report_completed")
        self.assertEqual(self.successResultOf(self.stopped).status, 0)

    def test_they_are_counted_when_they_begin(self) -> None:
        self.give(SLEEP)
        self.assertEqual(self.facilities.memory.counted, 1)

    def test_one_that_is_turned_away_does_not_count(self) -> None:
        self.claims.drain(None, EXIT)
        self.give(QUICK)
        self.assertEqual(self.facilities.memory.counted, 0)

    def test_a_worker_that_is_told_to_go_while_the_last_one_runs_says_so(self) -> None:
        self.give(QUICK, SLEEP)
        self.queue.answer("report_completed")
        self.claims.shut_down(20, EXIT)
        self.clock.advance(1)
        self.queue.answer("report_exception")
        self.assertEqual(self.successResultOf(self.stopped), EXIT)


class ACountOfEarlierTasks(Working):
    """C{numberOfTasksToRun}, after a restart."""

    capacity = 4
    settings = {"number_of_tasks_to_run": 3}  # noqa: RUF012  # as above

    def boot(self) -> None:
        pass

    def boot_after(self, count: int) -> None:
        self.facilities.memory.counted = count
        super().boot()

    def test_what_ran_before_counts(self) -> None:
        self.boot_after(2)
        self.assertEqual(self.asking, [1])
        self.give(QUICK)
        self.queue.answer("report_completed")
        self.assertEqual(self.successResultOf(self.stopped).status, 0)

    def test_it_goes_at_once_when_the_number_is_reached_or_was_lowered(self) -> None:
        for count in (3, 4):
            self.setUp()
            self.boot_after(count)
            self.assertEqual((self.successResultOf(self.stopped).status, self.queue.calls), (0, []))

    def test_a_start_without_a_number_forgets_it(self) -> None:
        self.facilities.config = replace(self.facilities.config, number_of_tasks_to_run=0)
        self.boot_after(3)
        self.assertEqual((self.asking, self.facilities.memory.counted), ([4], 0))

    def test_a_count_that_cannot_be_read_ends_the_boot(self) -> None:
        self.patch(self.facilities.memory, "tasks_counted", lambda: fail(StateUnusable("broken")))
        super().boot()
        self.failureResultOf(self.stopped, StateUnusable)
