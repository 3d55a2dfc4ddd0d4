"""Pulse with a real RabbitMQ, and consumers who bind as Taskcluster's clients do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pika import ConnectionParameters, PlainCredentials
from pika.adapters.twisted_connection import TwistedProtocolConnection
from taskcluster import QueueEvents, WorkerManagerEvents
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.trial.unittest import TestCase

from tcworker.embedded.outbox import Message, Outbox
from tcworker.embedded.pulse.service import EXCHANGES, Pulse
from tests.integration import rabbitmq
from tests.integration.rabbitmq import shared

KEY = "primary.task.0.group.worker.prov.type.sched.group._"
EVENTS = {"rootUrl": "http://taskcluster.test"}


@dataclass(frozen=True)
class Delivery:
    """What a consumer got."""

    exchange: str
    routing_key: str
    payload: Any
    properties: Any

    @property
    def routes(self) -> list[str]:
        return list(self.properties.headers["CC"])


class Consumer:
    """A consumer with a queue of its own, durable so that it outlives the broker's death."""

    def __init__(self, name: str) -> None:
        self._name = f"queue/{rabbitmq.USER}/{name}"

    async def connect(self) -> None:
        credentials = PlainCredentials(rabbitmq.USER, rabbitmq.PASSWORD)
        parameters = ConnectionParameters(virtual_host=rabbitmq.VHOST, credentials=credentials)
        endpoint = TCP4ClientEndpoint(reactor, rabbitmq.HOST, shared().port)
        self._protocol = await connectProtocol(endpoint, TwistedProtocolConnection(parameters))
        await self._protocol.ready
        self._channel = await self._protocol.channel()
        await self._channel.queue_declare(queue=self._name, durable=True)
        self._deliveries, _ = await self._channel.basic_consume(self._name, auto_ack=True)

    async def bind(self, binding: Mapping[str, str]) -> None:
        """Bind as told by a method of C{QueueEvents}."""
        await self._channel.exchange_declare(binding["exchange"], exchange_type="topic", durable=True)
        await self._channel.queue_bind(self._name, binding["exchange"], binding["routingKeyPattern"])

    async def next(self) -> Delivery:
        _, method, properties, body = await self._deliveries.get()
        return Delivery(method.exchange, method.routing_key, json.loads(body), properties)

    async def close(self) -> None:
        await self._channel.queue_delete(self._name)
        await self._protocol.close()


class PulseTestCase(TestCase):
    timeout = 90

    async def setUp(self) -> None:
        self.broker = shared()
        await self.broker.when_ready()
        self.outbox = Outbox()

    def start(self, url: str | None = None) -> Pulse:
        pulse = Pulse(reactor, url or self.broker.url, self.outbox)
        pulse.startService()
        self.addCleanup(lambda: pulse.running and pulse.stopService())
        return pulse

    async def consumer(self, *bindings: Mapping[str, str]) -> Consumer:
        consumer = Consumer(self.id())
        await consumer.connect()
        self.addCleanup(lambda: Deferred.fromCoroutine(consumer.close()))
        for binding in bindings:
            await consumer.bind(binding)
        return consumer

    def send(self, exchange: str, key: str = KEY, *routes: str, service: str = "queue", **payload: Any) -> None:
        self.outbox.send([Message(service, exchange, key, payload, routes)])


class Publishing(PulseTestCase):
    async def test_every_exchange(self) -> None:
        self.start()
        bindings = [{"exchange": name, "routingKeyPattern": "primary.#"} for name in EXCHANGES]
        consumer = await self.consumer(*bindings)
        for name in EXCHANGES:
            _, service, _, exchange = name.split("/")
            self.send(exchange, service=service.removeprefix("taskcluster-"), n=name)
        got = [await consumer.next() for _ in EXCHANGES]
        self.assertEqual([(one.exchange, one.payload) for one in got], [(name, {"n": name}) for name in EXCHANGES])
