"""A channel for publishing. To be imported when there is a reactor, as what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pika import BasicProperties, DeliveryMode
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from tcworker.amqp.connection import Channel
from tcworker.embedded.pulse.backlog import Letter


class PublishingChannel(Channel):
    """Declares topic exchanges, and publishes to them.

    @param blocked: called with the reason when the broker takes nothing for a while.
    """

    def __init__(
        self, reactor: IReactorTime, protocol: Any, exchanges: Iterable[str], blocked: Callable[[str], None]
    ) -> None:
        super().__init__(reactor, protocol)
        self._exchanges = exchanges
        self._blocked = blocked
        self._channel: Any = None

    async def _prepare(self, channel: Any) -> None:
        self._protocol.on_blocked(self._blocked)
        self._channel = channel
        await channel.confirm_delivery()
        for exchange in self._exchanges:
            await channel.exchange_declare(exchange, exchange_type="topic", durable=True)

    def publish(self, letter: Letter) -> Deferred[object]:
        """Send a message; fires when the broker has it for certain.

        Fails with C{ValueError} for one that cannot be encoded.
        """
        return maybeDeferred(self._publish, letter)

    def _publish(self, letter: Letter) -> Deferred[object]:
        properties = BasicProperties(
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=DeliveryMode.Persistent,
            headers={"CC": list(letter.copies)},
        )
        sent: Deferred[object] = self._channel.basic_publish(
            letter.exchange, letter.routing_key, letter.body, properties
        )
        return sent
