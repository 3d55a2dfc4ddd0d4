"""Listening as brokers come and go, by a clock that a test moves and a broker in memory."""

from __future__ import annotations

from typing import Any

from pika import spec
from twisted.internet.ssl import optionsForClientTLS

from tcworker.amqp.address import Address
from tcworker.pulse.messages import Decision
from tcworker.pulse.service import PulseService
from tcworker.task.resolution import CANCELED
from tcworker.worker_log import LINES_A_MINUTE
from tests.amqp.broker import MemoryBroker
from tests.amqp.case import BrokerCase
from tests.pulse.test_messages import message

ADDRESS = Address("127.0.0.1", 1234, "vhost", "user", "secret")


class Ears:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.broken = False

    def heard(self, decision: Decision) -> None:
        self.told.append(decision)
        if self.broken:
            raise ZeroDivisionError

    def connected(self) -> None:
        self.told.append("connected")

    def disconnected(self) -> None:
        self.told.append("disconnected")


class ListeningCase(BrokerCase):
    def setUp(self) -> None:
        super().setUp()
        self.ears = Ears()
        tls = lambda: optionsForClientTLS(ADDRESS.host)  # noqa: E731  # not used here
        self.pulse = PulseService(self.reactor, ADDRESS, tls, "group", "worker", self.ears)
        self.start()

    def connect(self) -> MemoryBroker:
        """Let the broker be there for the connection that is asked for now."""
        broker = MemoryBroker(self.reactor)
        broker.welcome()
        return broker

    def reconnect(self) -> MemoryBroker:
        self.reactor.advance(2)
        return self.connect()

    @property
    def told(self) -> list[Any]:
        """What the listener has been told since this was last asked."""
        told, self.ears.told = self.ears.told, []
        return told


DECISION = Decision("task", 0, CANCELED)


class Listening(ListeningCase):
    def test_it_has_a_queue_of_its_own_with_one_binding(self) -> None:
        broker = self.connect()
        [declared], [bound], [consumed] = map(broker.said, (spec.Queue.Declare, spec.Queue.Bind, spec.Basic.Consume))
        self.assertRegex(declared.queue, r"^queue/user/[\w-]{22}\Z")
        self.assertEqual((declared.exclusive, declared.auto_delete, declared.durable), (True, True, False))
        self.assertEqual((bound.queue, consumed.queue), (declared.queue, declared.queue))
        self.assertEqual(bound.exchange, "exchange/taskcluster-queue/v1/task-exception")
        self.assertEqual(bound.routing_key, "primary.*.*.group.worker.#")
        self.assertEqual(self.told, ["connected"])

    def test_a_decision_is_passed_on_and_confirmed(self) -> None:
        broker = self.connect()
        broker.deliver(message("canceled"))
        broker.deliver(message("canceled"))
        self.assertEqual(self.told, ["connected", DECISION, DECISION])
        self.assertEqual([ack.delivery_tag for ack in broker.said(spec.Basic.Ack)], [1, 2])

    def test_the_broker_sends_so_many_at_once(self) -> None:
        [quality] = self.connect().said(spec.Basic.Qos)
        self.assertEqual(quality.prefetch_count, 100)

    def test_what_is_no_message_is_said_and_confirmed(self) -> None:
        broker = self.connect()
        broker.deliver(b"who reads this")
        broker.deliver(message("canceled"))
        self.assertEqual(self.told, ["connected", DECISION])
        self.assertIn("a message from the broker at amqp://user@127.0.0.1:1234, virtual host vhost", self.logged())
        self.assertEqual(len(broker.said(spec.Basic.Ack)), 2)

    def test_what_did_not_come_by_the_queue_s_exchange_is_not_believed(self) -> None:
        broker = self.connect()
        for exchange in ("", "exchange/somebody/v1/task-exception"):
            broker.deliver(message("canceled"), exchange)
        self.assertEqual(self.told, ["connected"])
        self.assertIn("it came by the exchange '', and not by", self.logged())
        self.assertEqual(len(broker.said(spec.Basic.Ack)), 2)

    def test_a_flood_of_strange_messages_fills_no_log(self) -> None:
        broker = self.connect()
        for _ in range(300):
            broker.deliver(b"x")
        self.assertEqual(self.logged().count("is none"), LINES_A_MINUTE)
        self.reactor.rightNow += 60
        broker.deliver(b"x")
        self.assertIn(f"({300 - LINES_A_MINUTE} lines like this were left out)", self.logged())

    def test_a_listener_that_fails_hears_the_next_one(self) -> None:
        broker = self.connect()
        self.ears.broken = True
        broker.deliver(message("canceled"))
        self.ears.broken = False
        broker.deliver(message(None, "canceled", run_id=1))
        self.assertEqual(self.told, ["connected", DECISION, Decision("task", 1, CANCELED)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_both_sides_say_something_often(self) -> None:
        [tuned] = self.connect().said(spec.Connection.TuneOk)
        self.assertEqual(tuned.heartbeat, 10)


class Losing(ListeningCase):
    """A connection that ends, in whatever way, is followed by another one with everything in it."""

    def lose(self, broker: MemoryBroker) -> None:
        self.assertEqual(self.told, ["connected", "disconnected"])
        self.assertFalse(broker.open)
        again = self.reconnect()
        again.deliver(message("canceled"))
        self.assertEqual(self.told, ["connected", DECISION])
        self.assertEqual(len(again.said(spec.Queue.Bind)), 1)
        # What belonged to a connection that the broker does not yet know to be gone is nobody's else.
        before, after = broker.said(spec.Queue.Declare), again.said(spec.Queue.Declare)
        self.assertNotEqual(before[0].queue, after[0].queue)

    def test_it_is_cut(self) -> None:
        broker = self.connect()
        broker.hang_up()
        self.lose(broker)

    def test_the_broker_closes_it(self) -> None:
        broker = self.connect()
        broker.say(spec.Connection.Close(320, "CONNECTION_FORCED - going down", 0, 0), channel=0)
        self.lose(broker)
        self.assertIn("CONNECTION_FORCED - going down", self.logged())

    def test_the_broker_closes_the_channel(self) -> None:
        broker = self.connect()
        broker.say(spec.Channel.Close(404, "NOT_FOUND - no exchange", 60, 40))
        broker.read()
        self.lose(broker)
        self.assertIn("NOT_FOUND - no exchange", self.logged())

    def test_somebody_deletes_the_queue(self) -> None:
        broker = self.connect()
        broker.say(spec.Basic.Cancel(broker.consumer, nowait=True))
        broker.read()
        self.lose(broker)

    def test_the_broker_says_nothing_any_more(self) -> None:
        broker = self.connect()
        self.reactor.pump([1] * 31)
        self.lose(broker)

    def test_what_comes_is_no_amqp(self) -> None:
        broker = self.connect()
        # A frame that does not end as frames do.
        broker.send(b"\1\0\1\0\0\0\2ab!")
        self.lose(broker)

    def test_a_broker_that_throws_us_out_each_time_is_asked_ever_more_rarely(self) -> None:
        for pause in (1.5, 3, 6, 12):
            self.connect().hang_up()
            self.reactor.advance(pause)
        self.assertEqual(len(self.reactor.tcpClients), 5)
        asked = len(self.reactor.tcpClients)
        self.connect().hang_up()
        self.reactor.advance(10)
        self.assertEqual(len(self.reactor.tcpClients), asked)

    def test_one_that_says_nothing_is_asked_ever_more_rarely_too(self) -> None:
        for pause in (1.5, 3, 6, 12):
            MemoryBroker(self.reactor)
            self.reactor.pump([1] * 31)
            self.reactor.advance(pause)
        MemoryBroker(self.reactor)
        self.reactor.pump([1] * 40)
        self.assertEqual(len(self.reactor.tcpClients), 5)

    def test_one_that_served_for_a_while_is_soon_asked_again(self) -> None:
        for _ in range(4):
            broker = self.connect()
            self.reactor.advance(6)
            broker.hang_up()
            self.reactor.advance(1.5)
        self.assertEqual(len(self.reactor.tcpClients), 5)


class Stopping(ListeningCase):
    def test_it_says_goodbye(self) -> None:
        broker = self.connect()
        stopping = self.pulse.stopService()
        broker.read()
        self.successResultOf(stopping)
        self.assertIsInstance(broker.methods[-1], spec.Connection.Close)
        self.assertFalse(broker.open)

    def test_a_broker_that_does_not_answer_that_is_left(self) -> None:
        broker = self.connect()
        stopping = self.pulse.stopService()
        self.assertNoResult(stopping)
        self.reactor.advance(2)
        self.successResultOf(stopping)
        self.assertFalse(broker.open)

    def test_while_it_logs_in(self) -> None:
        broker = MemoryBroker(self.reactor)
        self.successResultOf(self.pulse.stopService())
        self.assertFalse(broker.open)

    def test_while_it_waits_for_the_next_attempt(self) -> None:
        self.connect().hang_up()
        self.successResultOf(self.pulse.stopService())
