"""How a worker hears that runs were cancelled, and what it then does."""

from __future__ import annotations

import gzip

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.cancellations import CancellationService
from tcworker.claims.hand import Hand
from tcworker.config import Config
from tcworker.interfaces import Credentials
from tcworker.task.resolution import CANCELED, DEADLINE_EXCEEDED
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.queue import FakeQueue
from tests.amqp.broker import MemoryBroker
from tests.claims.case import SLEEP, Working
from tests.claims.test_hand import FakeRun
from tests.claims.test_statuses import answer
from tests.pulse.test_messages import message


def log_of(context: FakeTaskContext) -> str:
    """What a run has published."""
    return gzip.decompress(context.stored["public/logs/live_backing.log"]).decode()


class HearingCase(SynchronousTestCase):
    pulse: str | None = None

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.queue = FakeQueue()
        self.hand = Hand(self.reactor)
        config = Config(
            root_url="https://tc.example.com",
            credentials=Credentials("worker", "secret"),
            worker_type="test",
            worker_id="w1",
            pulse=self.pulse,
        )
        self.service = CancellationService(self.reactor, config, self.queue, self.hand)
        self.service.startService()
        self.addCleanup(self.finish)
        self.run_in_hand = FakeRun("task")
        self.hand.take(self.run_in_hand)

    def finish(self) -> None:
        self.service.stopService()
        self.reactor.pump([1] * 3)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def asked(self, seconds: int) -> int:
        """How often the queue is asked in so many seconds, when it says that all is well."""
        before = len(self.queue.calls)
        for _ in range(seconds):
            self.reactor.advance(1)
            if self.queue.waiting("statuses"):
                self.queue.answer("statuses", answer(task=None))
        return len(self.queue.calls) - before


class WithoutPulse(HearingCase):
    def test_the_queue_is_asked(self) -> None:
        self.assertGreater(self.asked(60), 3)
        self.assertEqual(self.reactor.tcpClients, [])


class WithPulse(HearingCase):
    pulse = "amqp://user:secret@127.0.0.1:1234/vhost"

    def connect(self) -> MemoryBroker:
        broker = MemoryBroker(self.reactor)
        broker.welcome()
        return broker

    def test_what_is_heard_is_told_to_the_run(self) -> None:
        self.connect().deliver(message("canceled"))
        self.assertEqual(self.run_in_hand.told, [CANCELED])

    def test_the_queue_is_asked_until_there_is_a_broker(self) -> None:
        asked = self.asked(25)
        self.assertGreater(asked, 0)
        self.connect()
        # Once, for what came before.
        self.assertEqual(len(self.queue.calls), asked + 1)
        self.assertEqual(self.asked(20), 0)

    def test_and_when_it_is_gone(self) -> None:
        broker = self.connect()
        self.asked(5)
        broker.hang_up()
        self.assertGreater(self.asked(25), 0)
        self.assertEqual(len(self.reactor.tcpClients), 2)

    def test_an_address_with_a_name_that_is_no_ascii(self) -> None:
        config = Config("https://tc.example.com", Credentials("w", "s"), "test", "w1", pulse="amqps://bücher.example/")
        service = CancellationService(self.reactor, config, self.queue, Hand(self.reactor))
        service.startService()
        self.successResultOf(service.stopService())


class CancelledEarly(Working):
    """The cancellation overtook the claim's answer."""

    def test_the_task_never_starts_and_nothing_is_reported(self) -> None:
        self.claims.hand.decided("task-0", 0, CANCELED)
        self.give({"script": [{"print": "at work"}, {"sleep": 100}]})
        self.clock.advance(1)
        log = log_of(self.facilities.contexts[0])
        self.assertIn("the task was canceled", log)
        self.assertNotIn("at work", log)
        self.assertEqual(self.queue.made("report_exception"), [])
        self.assertEqual(self.facilities.memory.kept, {})
        self.assertEqual(self.asking, [1])


class Secrets(Working):
    settings = {"pulse": "amqp://user:correct%2Fhorse@broker/"}  # noqa: RUF012  # as in other such classes

    def test_the_password_of_the_broker_is_in_no_task_s_log(self) -> None:
        self.give({"script": [{"print": "correct/horse or correct%2Fhorse, and more"}]})
        self.assertIn("[masked] or [masked], and more", log_of(self.facilities.contexts[0]))


class InHand(Working):
    capacity = 2

    def test_a_run_that_is_over_is_known_to_be(self) -> None:
        self.give(SLEEP, SLEEP)
        self.assertEqual([run.claim.name for run in self.claims.hand.undecided()], ["task-0/0", "task-1/0"])
        self.claims.hand.decided("task-1", 0, DEADLINE_EXCEEDED)
        self.clock.advance(10)
        self.assertEqual([run.claim.name for run in self.claims.hand.undecided()], ["task-0/0"])

    def test_another_run_of_its_task_does_not_end_it(self) -> None:
        self.give(SLEEP)
        self.claims.hand.decided("task-0", 1, CANCELED)
        self.clock.advance(50)
        self.assertEqual(len(self.claims.hand.undecided()), 1)

    def test_what_has_been_noticed_twice_is_ended_once(self) -> None:
        self.give({"script": [{"ignore_term": True}, {"sleep": 5000}]})
        self.claims.hand.decided("task-0", 0, CANCELED)
        self.claims.hand.decided("task-0", 0, DEADLINE_EXCEEDED)
        self.claims.canceled("task-0")
        self.clock.advance(10)
        self.assertEqual(self.queue.made("report_exception"), [])
        self.assertEqual(len(self.asking), 1)
