"""Jobs in threads whose end somebody waits for."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.jobs import Jobs, Share
from tests.task.held import Held


class JobsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.threads = Held()
        self.jobs = Jobs(self.threads)

    def settled(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.jobs.settled())

    def test_a_job_gives_what_its_work_gave(self) -> None:
        result = self.jobs.run(len, "abc")
        self.threads.jobs[0].callback(3)
        self.assertEqual(self.successResultOf(result), 3)

    def test_a_job_fails_as_its_work_failed(self) -> None:
        result = self.jobs.run(len, 1)
        self.threads.jobs[0].errback(TypeError("no"))
        self.failureResultOf(result, TypeError)

    def test_without_jobs_all_is_settled(self) -> None:
        self.successResultOf(self.settled())

    def test_all_jobs_are_waited_for_well_or_not(self) -> None:
        results = [self.jobs.run(len, "") for _ in range(2)]
        settled = self.settled()
        self.threads.jobs[0].errback(ValueError("no"))
        self.assertNoResult(settled)
        self.threads.jobs[1].callback(0)
        self.successResultOf(settled)
        self.failureResultOf(results[0], ValueError)

    def test_a_job_that_was_given_up_is_waited_for_all_the_same(self) -> None:
        for end in (lambda job: job.callback(0), lambda job: job.errback(ValueError("no"))):
            result = self.jobs.run(len, "")
            result.cancel()
            self.failureResultOf(result, CancelledError)
            settled = self.settled()
            self.assertNoResult(settled)
            end(self.threads.jobs[-1])
            self.successResultOf(settled)


class ShareTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.threads = Held()
        self.share = Share(self.threads, 2)

    def test_so_many_threads_at_once_and_no_more(self) -> None:
        results = [self.share.run(len, "") for _ in range(4)]
        self.assertEqual(len(self.threads.jobs), 2)
        self.threads.jobs[0].callback(0)
        self.threads.jobs[1].errback(ValueError("no"))
        self.assertEqual(len(self.threads.jobs), 4)
        self.assertEqual(self.successResultOf(results[0]), 0)
        self.failureResultOf(results[1], ValueError)
