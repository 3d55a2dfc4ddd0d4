"""Somebody who listens to pulse, and somebody who speaks there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pika import ConnectionParameters, PlainCredentials
from pika.adapters.twisted_connection import TwistedProtocolConnection
from pika.exceptions import UnroutableError
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from tests.integration import rabbitmq
from tests.integration.rabbitmq import RabbitMQ


@dataclass(frozen=True)
class Delivery:
    """What a consumer got; C{properties} are pika's."""

    exchange: str
    routing_key: str
    payload: Any
    properties: Any


class Consumer:
    """A consumer with a queue of its own, durable so that it outlives the broker's death."""

    def __init__(self, broker: RabbitMQ, name: str) -> None:
        self._broker = broker
        self._queue = f"queue/{rabbitmq.USER}/{name}"
        self._deliveries: Any = None

    async def connect(self) -> None:
        """Connect, and have the queue: that of an earlier connection if there was one."""
        self._protocol: Any = await _connect(self._broker)
        self._channel = await self._protocol.channel()
        await self._channel.queue_declare(queue=self._queue, durable=True)

    async def bind(self, binding: Mapping[str, str]) -> None:
        """Bind as a method of C{QueueEvents} or C{WorkerManagerEvents} says."""
        await self._channel.exchange_declare(binding["exchange"], exchange_type="topic", durable=True)
        await self._channel.queue_bind(self._queue, binding["exchange"], binding["routingKeyPattern"])

    async def waiting(self) -> int:
        """How many messages wait in the queue."""
        declared = await self._channel.queue_declare(queue=self._queue, passive=True)
        return int(declared.method.message_count)

    async def next(self) -> Delivery:
        """Wait for a message."""
        if self._deliveries is None:
            self._deliveries, _ = await self._channel.basic_consume(self._queue, auto_ack=True)
        _, method, properties, body = await self._deliveries.get()
        return Delivery(method.exchange, method.routing_key, json.loads(body), properties)

    async def close(self) -> None:
        """Be gone, and the queue with it."""
        if self._protocol.is_open:
            await self._channel.queue_delete(self._queue)
            await self._protocol.close()


class Publisher:
    """Somebody who says to an exchange what nobody expects."""

    def __init__(self, protocol: Any, channel: Any) -> None:
        self._protocol = protocol
        self._channel = channel
        self._sent: list[Deferred[object]] = []

    @classmethod
    async def connect(cls, broker: RabbitMQ) -> Publisher:
        """Connect as the broker's own user."""
        protocol = await _connect(broker)
        channel = await protocol.channel()
        await channel.confirm_delivery()
        return cls(protocol, channel)

    def publish(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Publish a message; L{close} waits until the broker has it."""
        self._sent.append(self._channel.basic_publish(exchange, routing_key, body))

    async def routed(self, exchange: str, routing_key: str) -> bool:
        """Publish a message; gives whether there is a queue for it."""
        try:
            await self._channel.basic_publish(exchange, routing_key, b"{}", mandatory=True)
        except UnroutableError:
            return False
        return True

    async def close(self) -> None:
        """Be gone, as soon as the broker has everything."""
        await gatherResults(self._sent)
        await self._protocol.close()


async def _connect(broker: RabbitMQ) -> Any:
    parameters = ConnectionParameters(
        virtual_host=rabbitmq.VHOST, credentials=PlainCredentials(rabbitmq.USER, rabbitmq.PASSWORD)
    )
    endpoint = TCP4ClientEndpoint(reactor, rabbitmq.HOST, broker.port)
    protocol = await connectProtocol(endpoint, TwistedProtocolConnection(parameters))
    await protocol.ready
    return protocol
