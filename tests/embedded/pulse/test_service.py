"""What pulse does as brokers come and go, by a clock that a test moves and a broker in memory."""

from __future__ import annotations

from typing import Any

from pika import spec
from twisted.internet.error import ConnectionRefusedError
from twisted.python.failure import Failure

from tcworker.embedded.outbox import Message, Outbox
from tcworker.embedded.pulse.service import EXCHANGES, MOST_UNCONFIRMED, Pulse
from tests.amqp.broker import MemoryBroker
from tests.amqp.case import BrokerCase

URL = "amqp://user:secret@127.0.0.1:1234/vhost"
EXCHANGE = "exchange/taskcluster-queue/v1/task-pending"


class PulseTestCase(BrokerCase):
    def setUp(self) -> None:
        super().setUp()
        self.outbox = Outbox()
        self.pulse = Pulse(self.reactor, URL, self.outbox, most_waiting=200)
        self.start()

    def send(self, *payloads: Any, routes: tuple[str, ...] = ()) -> None:
        self.outbox.send(Message("queue", "task-pending", "key", payload, routes) for payload in payloads)

    def connect(self) -> MemoryBroker:
        """Let the broker be there for the connection that is asked for now."""
        broker = MemoryBroker(self.reactor)
        broker.welcome()
        return broker

    def reconnect(self) -> MemoryBroker:
        self.reactor.advance(2)
        return self.connect()

    def refuse(self) -> None:
        self.reactor.tcpClients[-1][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        # So long its endpoint looks for other addresses of the host.
        self.reactor.advance(0.3)


class Connecting(PulseTestCase):
    def test_it_logs_in_and_declares_every_exchange(self) -> None:
        broker = self.connect()
        said = {type(method): method for method in broker.methods}
        self.assertEqual(said[spec.Connection.StartOk].response, b"\0user\0secret")
        self.assertEqual(said[spec.Connection.TuneOk].heartbeat, 120)
        self.assertEqual(said[spec.Connection.Open].virtual_host, "vhost")
        declared = [method for method in broker.methods if isinstance(method, spec.Exchange.Declare)]
        self.assertEqual([one.exchange for one in declared], list(EXCHANGES))
        self.assertEqual({(one.type, one.durable, one.passive) for one in declared}, {("topic", True, False)})

    def test_it_tries_again_and_more_rarely(self) -> None:
        for pause in (2, 3, 6):
            self.refuse()
            self.reactor.advance(pause)
        self.assertEqual(len(self.reactor.tcpClients), 4)
        self.assertIn("no broker at amqp://user@127.0.0.1:1234, virtual host vhost", self.logged())

    def test_a_broker_that_says_nothing_is_left(self) -> None:
        silent = MemoryBroker(self.reactor)
        self.reactor.advance(31)
        self.assertFalse(silent.open)
        self.assertIn("no answer within 30 s", self.logged())
        self.send(1)
        self.assertEqual(self.reconnect().payloads, [1])

    def test_a_broker_that_refuses_is_quoted(self) -> None:
        broker = MemoryBroker(self.reactor)
        broker.greet()
        broker.say(spec.Connection.Close(403, "ACCESS_REFUSED - so it is", 0, 0), channel=0)
        broker.hang_up()
        self.assertIn("ACCESS_REFUSED - so it is", self.logged())
        self.reconnect()
        self.assertIn("connected to the broker", self.logged())


class Publishing(PulseTestCase):
    def test_a_message_has_what_consumers_expect(self) -> None:
        broker = self.connect()
        self.send({"a": "ä"}, routes=("index.x", "y"))
        broker.read()
        [(exchange, key, properties, payload)] = broker.published
        self.assertEqual((exchange, key, payload), (EXCHANGE, "key", {"a": "ä"}))
        self.assertEqual((properties.content_type, properties.content_encoding), ("application/json", "utf-8"))
        self.assertEqual((properties.delivery_mode, properties.headers), (2, {"CC": ["route.index.x", "route.y"]}))

    def test_what_came_before_the_broker_is_published_once_it_is_there(self) -> None:
        self.send(1, 2)
        self.refuse()
        self.send(3)
        self.assertEqual(self.reconnect().payloads, [1, 2, 3])

    def test_what_was_not_confirmed_is_published_again_in_order(self) -> None:
        broker = self.connect()
        self.send(1, 2, 3)
        broker.read()
        broker.confirm(1)
        broker.hang_up()
        self.send(4)
        self.assertEqual(self.reconnect().payloads, [2, 3, 4])

    def test_a_message_that_the_broker_does_not_take_is_published_again(self) -> None:
        broker = self.connect()
        self.send(1, 2)
        broker.read()
        broker.say(spec.Basic.Nack(1))
        self.assertFalse(broker.open)
        self.assertEqual(self.reconnect().payloads, [1, 2])

    def test_a_broker_that_confirms_nothing_is_left(self) -> None:
        broker = self.connect()
        self.send(1)
        broker.read()
        self.reactor.advance(29)
        self.assertTrue(broker.open)
        self.reactor.advance(2)
        self.assertFalse(broker.open)
        self.assertIn("no answer within 30 s", self.logged())
        self.assertEqual(self.reconnect().payloads, [1])

    def test_a_broker_that_takes_nothing_for_a_while_is_quoted(self) -> None:
        broker = self.connect()
        self.send(1)
        broker.say(spec.Connection.Blocked(reason="low on disk"), channel=0)
        self.assertIn("takes no messages for now: low on disk; messages waiting: 1", self.logged())

    def test_few_are_on_their_way_at_once(self) -> None:
        self.send(*range(MOST_UNCONFIRMED + 50))
        broker = self.connect()
        self.assertEqual(broker.payloads, list(range(MOST_UNCONFIRMED)))
        broker.confirm(30, multiple=True)
        self.assertEqual(broker.payloads, list(range(MOST_UNCONFIRMED + 30)))

    def test_why_a_connection_was_lost_is_told(self) -> None:
        self.connect().say(spec.Connection.Close(320, "CONNECTION_FORCED - going down", 0, 0), channel=0)
        self.assertIn("CONNECTION_FORCED - going down", self.logged())

    def test_why_one_was_lost_without_a_word_is_told(self) -> None:
        self.connect().hang_up(OSError("no route"))
        self.assertIn("no route", self.logged())

    def test_a_channel_that_is_closed_is_a_connection_that_is_lost(self) -> None:
        broker = self.connect()
        self.send(1)
        broker.read()
        broker.say(spec.Channel.Close(404, "NOT_FOUND - no exchange", 60, 40))
        self.assertFalse(broker.open)
        self.assertIn("NOT_FOUND - no exchange", self.logged())
        self.assertEqual(self.reconnect().payloads, [1])

    def test_a_message_that_cannot_be_encoded_holds_up_no_other(self) -> None:
        broker = self.connect()
        self.send(1, routes=("\ud800",))
        self.send(2)
        broker.read()
        self.assertEqual(broker.payloads, [2])
        self.assertIn("cannot be encoded", self.logged())

    def test_the_oldest_are_lost_when_too_many_wait(self) -> None:
        self.send(*range(201))
        self.assertIn("oldest ones lost: 2", self.logged())
        self.assertEqual(self.connect().payloads[0], 2)


class Stopping(PulseTestCase):
    def test_with_nothing_to_be_said_it_says_goodbye(self) -> None:
        broker = self.connect()
        stopping = self.pulse.stopService()
        broker.read()
        self.successResultOf(stopping)
        self.assertIsInstance(broker.methods[-1], spec.Connection.Close)
        self.assertFalse(broker.open)

    def test_it_waits_for_confirmations(self) -> None:
        broker = self.connect()
        self.send(1)
        stopping = self.pulse.stopService()
        broker.read()
        self.assertNoResult(stopping)
        broker.confirm(1)
        self.successResultOf(stopping)
        self.assertNotIn("lost", self.logged())

    def test_but_not_for_long(self) -> None:
        self.connect()
        self.send(1)
        stopping = self.pulse.stopService()
        self.reactor.pump([1] * 8)
        self.successResultOf(stopping)
        self.assertIn("messages lost: 1", self.logged())

    def test_without_a_broker_it_ends_all_the_same(self) -> None:
        self.send(1, 2)
        stopping = self.pulse.stopService()
        self.refuse()
        self.reactor.advance(5)
        self.successResultOf(stopping)
        self.assertIn("messages lost: 2", self.logged())

    def test_while_it_waits_for_the_next_attempt(self) -> None:
        self.refuse()
        self.successResultOf(self.pulse.stopService())

    def test_while_it_connects(self) -> None:
        self.successResultOf(self.pulse.stopService())

    def test_while_it_logs_in(self) -> None:
        broker = MemoryBroker(self.reactor)
        self.successResultOf(self.pulse.stopService())
        self.assertFalse(broker.open)

    def test_what_happens_afterwards_is_nothing_to_it(self) -> None:
        self.successResultOf(self.pulse.stopService())
        self.send(1)
        self.assertNotIn("lost", self.logged())
