"""A broker in memory: says what RabbitMQ says when somebody logs in, and leaves it to a test what is
confirmed and delivered."""

from __future__ import annotations

import json
from typing import Any

from pika import frame, spec
from twisted.internet.protocol import connectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from tcworker.pulse.messages import EXCHANGE

CAPABILITIES = ("publisher_confirms", "basic.nack", "authentication_failure_close")
START = spec.Connection.Start(server_properties={"capabilities": dict.fromkeys(CAPABILITIES, True)})
ANSWERS = {
    spec.Connection.StartOk: spec.Connection.Tune(channel_max=0, frame_max=131072, heartbeat=60),
    spec.Connection.Open: spec.Connection.OpenOk(),
    spec.Connection.Close: spec.Connection.CloseOk(),
    spec.Channel.Close: spec.Channel.CloseOk(),
    spec.Channel.Open: spec.Channel.OpenOk(),
    spec.Confirm.Select: spec.Confirm.SelectOk(),
    spec.Exchange.Declare: spec.Exchange.DeclareOk(),
    spec.Basic.Qos: spec.Basic.QosOk(),
    spec.Queue.Bind: spec.Queue.BindOk(),
}


class _Transport(StringTransport):
    """One whose connection is lost when it is told to lose it."""

    protocol: Any = None

    def loseConnection(self, reason: Exception = connectionDone.value) -> None:
        if not self.disconnecting:
            super().loseConnection()
            self.protocol.connectionLost(Failure(reason))

    abortConnection = loseConnection


class MemoryBroker:
    """Takes one connection, the one that was asked for last.

    @ivar methods: all that the client said, by class.
    @ivar published: what was published: exchange, routing key, properties, payload.
    """

    def __init__(self, reactor: MemoryReactorClock) -> None:
        self._transport = _Transport()
        self._client = self._transport.protocol = reactor.tcpClients[-1][2].buildProtocol(None)
        self._client.makeConnection(self._transport)
        self.methods: list[Any] = []
        self.published: list[tuple[str, str, Any, Any]] = []
        self.consumer = ""
        self._delivered = 0

    @property
    def open(self) -> bool:
        return not self._transport.disconnecting

    @property
    def payloads(self) -> list[Any]:
        return [payload for _, _, _, payload in self.published]

    def welcome(self) -> None:
        """Let the client log in."""
        self.greet()
        self.read()

    def greet(self) -> None:
        """Ask who it is."""
        self._transport.clear()
        self.say(START, channel=0)

    def say(self, method: Any, channel: int = 1) -> None:
        self.send(frame.Method(channel, method).marshal())

    def read(self) -> None:
        """Read and answer all that the client says."""
        while data := self._transport.value():
            self._transport.clear()
            while data:
                consumed, one = frame.decode_frame(data)
                data = data[consumed:]
                self._take(one)

    def confirm(self, number: int, multiple: bool = False) -> None:
        """Confirm what was published as the nth, and what before it."""
        self.say(spec.Basic.Ack(number, multiple))
        self.read()

    def deliver(self, body: bytes, exchange: str = EXCHANGE) -> None:
        """Give the client a message, as the consumer that it asked for last."""
        self._delivered += 1
        self.say(spec.Basic.Deliver(self.consumer, self._delivered, False, exchange, "key"))
        self.send(frame.Header(1, len(body), spec.BasicProperties()).marshal() + frame.Body(1, body).marshal())
        self.read()

    def send(self, data: bytes) -> None:
        """Send bytes, whatever they are."""
        self._client.dataReceived(data)

    def said(self, kind: type[Any]) -> list[Any]:
        """All that the client said of one class."""
        return [method for method in self.methods if isinstance(method, kind)]

    def hang_up(self, reason: Exception = connectionDone.value) -> None:
        self._transport.loseConnection(reason)

    def _answer(self, method: Any) -> Any:
        if isinstance(method, spec.Queue.Declare):
            return spec.Queue.DeclareOk(method.queue, 0, 0)
        if isinstance(method, spec.Basic.Consume):
            self.consumer = method.consumer_tag
            return spec.Basic.ConsumeOk(self.consumer)
        return ANSWERS.get(type(method))

    def _take(self, one: Any) -> None:
        if isinstance(one, frame.Method):
            self.methods.append(one.method)
            answer = self._answer(one.method)
            if answer is not None:
                self.say(answer, one.channel_number)
        elif isinstance(one, frame.Header):
            self._properties = one.properties
        elif isinstance(one, frame.Body):
            publish = self.methods[-1]
            self.published.append((publish.exchange, publish.routing_key, self._properties, json.loads(one.fragment)))
