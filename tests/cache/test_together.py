"""Many small things in one job of a thread."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.together import MOST, Together


class ManyThings(SynchronousTestCase):
    def setUp(self) -> None:
        self.jobs: list[tuple[Deferred[Any], Any, list[int]]] = []
        self.done: list[int] = []
        self.together: Together[int] = Together(self.run_job, self.do)

    def run_job(self, work: Any, all: list[int]) -> Deferred[Any]:
        self.jobs.append((Deferred(), work, all))
        return self.jobs[-1][0]

    def work(self) -> None:
        fired, work, all = self.jobs.pop(0)
        fired.callback(work(all))

    def do(self, number: int) -> None:
        if number < 0:
            raise OSError(number, "negative")
        self.done.append(number)

    def test_the_first_is_done_at_once(self) -> None:
        doing = self.together.do(1)
        self.work()
        self.successResultOf(doing)
        self.assertEqual(self.done, [1])

    def test_what_comes_meanwhile_is_one_job(self) -> None:
        all = [self.together.do(number) for number in range(4)]
        self.work()
        self.assertEqual([job[2] for job in self.jobs], [[1, 2, 3]])
        self.work()
        for each in all:
            self.successResultOf(each)
        self.assertEqual((self.done, self.jobs), ([0, 1, 2, 3], []))

    def test_so_many_are_one_job(self) -> None:
        for number in range(MOST + 2):
            self.together.do(number)
        self.work()
        self.assertEqual(len(self.jobs[0][2]), MOST)

    def test_one_failure_is_told_to_who_asked_for_it(self) -> None:
        all = [self.together.do(number) for number in (0, 1, -1, 2)]
        self.work()
        self.work()
        self.assertEqual(self.failureResultOf(all[2], OSError).value.errno, -1)
        self.assertEqual(self.done, [0, 1, 2])

    def test_a_job_that_fails_is_told_to_all(self) -> None:
        doing = self.together.do(1)
        self.jobs.pop(0)[0].errback(RuntimeError("no threads"))
        self.failureResultOf(doing, RuntimeError)

    def test_who_waits_no_more_changes_nothing(self) -> None:
        one, two = self.together.do(1), self.together.do(2)
        two.cancel()
        self.failureResultOf(two, CancelledError)
        self.work()
        self.work()
        self.successResultOf(one)
        self.assertEqual(self.done, [1, 2])
