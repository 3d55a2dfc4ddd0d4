from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.download.passing import Hopeless, Passing, Persistence
from tcworker.errors import Cause, DownloadFailed, ResourceUnavailable


class PersistenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.patience = Persistence(self.clock, 120, "clang")
        self.tries: list[float] = []
        self.trouble: list[Exception] = []
        self.forward = 0

    async def attempt(self) -> str:
        self.tries.append(self.clock.seconds())
        if self.forward:
            self.forward -= 1
            self.patience.went_forward()
        if self.trouble:
            raise self.trouble.pop(0) if len(self.trouble) > 1 else self.trouble[0]
        return "all"

    def persist(self, seconds: int = 1000) -> Deferred[str]:
        trying = Deferred.fromCoroutine(self.patience.persist(self.attempt, self.said.append))
        for _ in range(seconds * 4):
            self.clock.advance(0.25)
        return trying

    def test_what_succeeds_is_tried_once(self) -> None:
        self.assertEqual(self.successResultOf(self.persist()), "all")
        self.assertEqual((self.tries, self.said), ([0.0], []))

    def test_it_is_given_up_after_its_time_and_not_long_after(self) -> None:
        self.trouble = [Passing("refused")]
        error = self.failureResultOf(self.persist(), DownloadFailed)
        self.assertEqual(error.getErrorMessage(), "clang: refused; given up after 120 s without success")
        self.assertTrue(118 <= self.tries[-1] <= 121, self.tries)
        self.assertGreater(len(self.tries), 8)

    def test_pauses_grow_up_to_some_seconds(self) -> None:
        self.trouble = [Passing("refused")]
        self.failureResultOf(self.persist(), DownloadFailed)
        pauses = [after - before for before, after in zip(self.tries, self.tries[1:], strict=False)]
        self.assertLess(pauses[0], 1.1)
        self.assertTrue(max(pauses) <= 15.25, pauses)

    def test_each_step_forward_gives_it_all_of_the_time_again(self) -> None:
        self.trouble, self.forward = [Passing("cut")], 30
        self.failureResultOf(self.persist(), DownloadFailed)
        pauses = [after - before for before, after in zip(self.tries[:30], self.tries[1:30], strict=False)]
        # Nor does it wait for longer and longer who gets on.
        self.assertLess(max(pauses), 1.1)
        self.assertGreater(self.tries[-1], self.tries[29] + 100)

    def test_a_server_is_left_alone_for_as_long_as_it_wants(self) -> None:
        self.trouble = [Passing("busy", wait=60), Passing("busy", wait=3600)]
        self.failureResultOf(self.persist(), DownloadFailed)
        self.assertEqual(len(self.tries), 3)
        self.assertEqual(self.tries[1], 60)
        self.assertLessEqual(self.tries[2], 120)

    def test_what_is_hopeless_is_tried_once(self) -> None:
        self.trouble = [Hopeless("404")]
        error = self.failureResultOf(self.persist(), DownloadFailed)
        self.assertEqual((error.getErrorMessage(), len(self.tries)), ("clang: 404", 1))

    def test_taskcluster_that_is_away_is_not_the_tasks_fault(self) -> None:
        self.trouble = [Passing("refused", away=True)]
        error = self.failureResultOf(self.persist(), ResourceUnavailable).value
        self.assertEqual((error.cause, error.evidence), (Cause.TASKCLUSTER_AWAY, {"what": "clang", "error": "refused"}))

    def test_cancelled_it_leaves_no_timer(self) -> None:
        self.trouble = [Passing("refused")]
        trying = self.persist(1)
        trying.addErrback(lambda _: None)
        trying.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
