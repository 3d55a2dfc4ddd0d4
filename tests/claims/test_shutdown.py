"""A worker that is told to go: in every state, twice, and in the time that it has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.service import ClaimService
from tcworker.claims.standing import Standing
from tcworker.errors import CallFailed
from tcworker.interfaces import Exit
from tests.claims.case import EXIT, SLEEP, FakeHost, Working


class BootCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.booted = 0
        self.claims = ClaimService(self.clock, FakeHost(), self.boot, lambda exit: succeed(None))  # type: ignore[arg-type]  # a fake

    def boot(self) -> Deferred[Any]:
        self.booted += 1
        return Deferred()


class BeforeItStarts(BootCase):
    """An order may be there before the worker is: a notice that the machine goes, most likely."""

    def test_nothing_boots(self) -> None:
        orders: list[Callable[[], None]] = [
            lambda: self.claims.drain(None, EXIT),
            lambda: self.claims.shut_down(5, EXIT),
        ]
        for order in orders:
            self.setUp()
            order()
            self.claims.startService()
            self.assertEqual((self.successResultOf(self.claims.when_stopped()), self.booted), (EXIT, 0))
            self.assertEqual(self.clock.getDelayedCalls(), [])


class WhileItBoots(BootCase):
    """The order is what ends it, whatever becomes of the boot."""

    def boot(self) -> Deferred[Any]:
        return Deferred(lambda boot: boot.errback(OSError("cut off in the middle")))

    def test_a_boot_that_fails_for_being_given_up(self) -> None:
        self.claims.startService()
        self.claims.shut_down(5, EXIT)
        self.assertEqual(self.successResultOf(self.claims.when_stopped()), EXIT)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class BeforeAClaimIsMade(Working):
    """The host is asked first, and the disk: nothing is asked of the queue after an order."""

    def boot(self) -> None:
        self.answer: Deferred[bool] = Deferred()
        self.patch(self.host, "should_shut_down_now", lambda idle: self.answer)
        super().boot()

    def test_no_claim_is_made_any_more(self) -> None:
        for order in (lambda: self.claims.drain(None, EXIT), lambda: self.claims.shut_down(25, EXIT)):
            self.setUp()
            order()
            self.assertEqual((self.successResultOf(self.stopped), self.queue.calls), (EXIT, []))
            self.assertEqual(self.clock.getDelayedCalls(), [])


class Twice(Working):
    """Whoever asks again is in a hurry."""

    def stop_with_a_task_that_hangs(self, seconds: float) -> None:
        self.give({"script": [{"ignore_term": True}, {"sleep": 5000}]})
        self.claims.shut_down(seconds, EXIT)
        self.clock.advance(1)

    def test_the_first_reason_counts(self) -> None:
        self.give(SLEEP)
        self.claims.drain(None, EXIT)
        self.claims.shut_down(5, Exit(0, "another one"))
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.successResultOf(self.stopped), EXIT)

    def test_a_run_is_told_how_little_is_left(self) -> None:
        self.stop_with_a_task_that_hangs(100)
        self.claims.shut_down(5, EXIT)
        self.clock.pump([1.0] * 4)
        self.assertNoResult(self.stopped)
        self.clock.pump([1.0])
        self.assertEqual(self.successResultOf(self.stopped), EXIT)

    def test_a_later_one_leaves_no_more_time(self) -> None:
        self.stop_with_a_task_that_hangs(5)
        self.claims.shut_down(100, EXIT)
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.successResultOf(self.stopped), EXIT)

    def test_while_all_is_closed_already(self) -> None:
        self.closing = Deferred()
        self.stop_with_a_task_that_hangs(5)
        self.clock.pump([1.0] * 5)
        self.claims.shut_down(1, EXIT)
        self.clock.pump([1.0] * 2)
        self.closing.callback(None)
        self.assertEqual(self.successResultOf(self.stopped), EXIT)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_who_watches_is_told_of_each_deadline(self) -> None:
        told: list[float] = []
        self.claims.watch_deadline(told.append)
        self.give(SLEEP)
        self.claims.drain(120, EXIT)
        self.claims.shut_down(None, EXIT)
        self.claims.shut_down(5, EXIT)
        self.assertEqual((told, self.claims.seconds_left), ([120, 25, 5], 5))


class HowItStands(Working):
    """What people and programs are told of it."""

    def test_while_it_claims(self) -> None:
        self.clock.advance(5)
        self.assertEqual(self.claims.standing, Standing("claiming", 0, "", None, []))

    def test_while_every_slot_is_taken(self) -> None:
        self.clock.advance(5)
        self.give(SLEEP)
        self.clock.advance(5)
        standing = self.claims.standing
        self.assertEqual((standing.state, standing.since), ("running", 5))
        self.assertEqual([(claim.name, since) for claim, since in standing.runs], [("task-0/0", 5)])

    def test_while_it_goes(self) -> None:
        self.give(SLEEP)
        self.claims.drain(60, Exit(71, "SIGINT"))
        self.clock.advance(10)
        self.claims.shut_down(20, Exit(72, "SIGTERM"))
        standing = self.claims.standing
        self.assertEqual((standing.state, standing.since, standing.seconds_left), ("stopping", 10, 20))
        self.assertEqual(standing.why, "SIGINT")

    def test_when_it_goes_by_itself(self) -> None:
        self.queue.fail("claim_work", CallFailed("claimWork", 401, "AuthenticationFailed", "no"))
        standing = self.claims.standing
        self.assertEqual((standing.state, standing.runs), ("stopped", []))
        self.assertIn("refuses the credentials", standing.why)

    def test_programs_can_read_it(self) -> None:
        self.give(SLEEP)
        said = json.loads(json.dumps(self.claims.standing.as_json()))
        self.assertEqual(
            said,
            {
                "state": "running",
                "since": "1970-01-01T00:00:00.000Z",
                "why": None,
                "secondsLeft": None,
                "runs": [{"taskId": "task-0", "runId": 0, "since": "1970-01-01T00:00:00.000Z"}],
            },
        )
