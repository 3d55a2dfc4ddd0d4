from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.download.passing import LEAST_SPEED, Hopeless, Passing, Persistence
from tcworker.errors import Cause, DownloadFailed, ResourceUnavailable


class PersistenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.patience = Persistence(self.clock, 120)
        self.tries: list[float] = []
        self.trouble: list[Exception] = []
        self.forward = 0

    async def attempt(self) -> str:
        self.tries.append(self.clock.seconds())
        if self.forward:
            self.forward -= 1
            self.patience.came(1000, 1000)
        if self.trouble:
            raise self.trouble.pop(0) if len(self.trouble) > 1 else self.trouble[0]
        return "all"

    def persist(self, seconds: int = 1000) -> Deferred[str]:
        trying = Deferred.fromCoroutine(self.patience.persist("clang", self.attempt, self.said.append))
        for _ in range(seconds * 4):
            self.clock.advance(0.25)
        return trying

    def test_what_succeeds_is_tried_once(self) -> None:
        self.assertEqual(self.successResultOf(self.persist()), "all")
        self.assertEqual((self.tries, self.said), ([0.0], []))

    def test_it_is_given_up_after_its_time_and_not_long_after(self) -> None:
        self.trouble = [Passing("refused")]
        error = self.failureResultOf(self.persist(), DownloadFailed)
        advice = "look whether its server is well and can be reached from this worker, and run the task again"
        self.assertEqual(error.getErrorMessage(), f"clang: refused; given up after 120 s without success: {advice}")
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


class SpeedTests(SynchronousTestCase):
    """How long what comes lets it go on."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Persistence(self.clock, 120)

    def drip(self, speed: float, seconds: int, new: bool = True) -> float:
        """Let so many bytes a second come; gives after how many seconds it was too slow."""
        for second in range(seconds):
            self.clock.advance(1)
            self.patience.came(round(speed), round(speed) if new else 0)
            if self.patience.too_slow:
                return second + 1
        return seconds

    def test_who_sends_a_byte_now_and_then_gets_hardly_more_time_than_who_sends_none(self) -> None:
        self.assertEqual(self.drip(1, 1000), 121)
        self.assertLessEqual(self.patience.left, 0)

    def test_who_is_as_fast_as_the_slowest_may_be_can_go_on_for_ever(self) -> None:
        self.assertEqual(self.drip(LEAST_SPEED, 10_000), 10_000)
        self.assertEqual(self.patience.left, 120)

    def test_a_small_content_may_come_more_slowly_than_that(self) -> None:
        self.assertEqual(self.drip(LEAST_SPEED / 2, 1000), 240)

    def test_a_fast_time_saves_nothing_for_a_silent_one(self) -> None:
        self.patience.came(10**9, 10**9)
        self.assertEqual(self.patience.left, 120)
        self.clock.advance(100)
        self.assertEqual((self.patience.left, self.patience.silence), (20, 20))

    def test_nobody_is_waited_for_in_silence_for_longer_than_a_minute(self) -> None:
        self.assertEqual(self.patience.silence, 60)
        self.clock.advance(119.5)
        self.assertEqual(self.patience.silence, 1)

    def test_time_in_which_it_is_held_back_is_not_the_servers(self) -> None:
        self.clock.advance(100)
        with self.patience.held():
            self.clock.advance(1000)
            self.assertEqual((self.patience.left, self.patience.silence), (20, 20))
        self.assertEqual(self.patience.left, 20)
        self.assertFalse(self.patience.too_slow)

    def test_what_comes_anew_is_not_too_slow_but_no_step_forward_either(self) -> None:
        self.assertEqual(self.drip(10 * LEAST_SPEED, 1000, new=False), 1000)
        self.assertEqual((self.patience.left, self.patience.silence), (120 - 1000, 60))

    def test_each_try_begins_with_what_is_left(self) -> None:
        silences: list[float] = []

        async def attempt() -> None:
            silences.append(self.patience.silence)
            self.clock.advance(50)
            self.patience.came(10**6, 0)
            raise Passing("cut")

        trying = Deferred.fromCoroutine(self.patience.persist("clang", attempt, lambda line: None))
        self.clock.pump([1] * 20)
        self.failureResultOf(trying, DownloadFailed)
        self.assertEqual((silences[0], len(silences)), (60, 3))
        self.assertLess(silences[2], 20)
