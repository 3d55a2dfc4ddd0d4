"""A channel for listening. To be imported when there is a reactor, as what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slugid
from twisted.internet.interfaces import IReactorTime

from tcworker.amqp.connection import Channel

UNCONFIRMED = 100
"""How many messages the broker sends before it waits for us."""


@dataclass(frozen=True)
class Delivery:
    """A message.

    @ivar exchange: by which it came; whoever guesses a queue's name can send there without the one that it is bound to.
    """

    exchange: str
    body: bytes


class ListeningChannel(Channel):
    """Hears what goes to one exchange by certain routing keys, from the moment when it is open.

    Its queue belongs to this connection and goes with it, so what comes between two connections is lost.

    @param user: the broker's, whose queues alone we may be allowed to make (contracts of the queue, 2.5).
    """

    def __init__(self, reactor: IReactorTime, protocol: Any, user: str, exchange: str, binding: str) -> None:
        super().__init__(reactor, protocol)
        self._queue = f"queue/{user}/{slugid.nice()}"
        self._exchange = exchange
        self._binding = binding
        self._channel: Any = None
        self._messages: Any = None

    async def _prepare(self, channel: Any) -> None:
        self._channel = channel
        await channel.basic_qos(prefetch_count=UNCONFIRMED)
        # Not durable: brokers of these days refuse that in a queue which is another's in a moment.
        await channel.queue_declare(self._queue, exclusive=True, auto_delete=True)
        await channel.queue_bind(self._queue, self._exchange, self._binding)
        self._messages, _ = await channel.basic_consume(self._queue, exclusive=True)

    async def next(self) -> Delivery:
        """Wait for a message; it is confirmed as it is given. Raises why there will be none."""
        try:
            message = await self._messages.get()
        except Exception as error:
            raise self._protocol.trouble or error from None
        self._channel.basic_ack(message.method.delivery_tag)
        return Delivery(message.method.exchange, bytes(message.body))
