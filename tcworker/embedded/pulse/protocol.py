"""One connection to a broker, by pika's adapter to Twisted.

To be imported when there is a reactor: the adapter asks for the global one as it is imported, though it uses the one
that it is given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from pika import BasicProperties, ConnectionParameters, DeliveryMode, PlainCredentials
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from tcworker.embedded.pulse.address import Address
from tcworker.embedded.pulse.backlog import Letter
from tcworker.waiting import OneShot

HEARTBEAT = 120
CLOSE_SECONDS = 2.0

# It tells of each lost connection by itself, on the standard error stream unless somebody listens.
logging.getLogger("pika").addHandler(logging.NullHandler())


class _Protocol(TwistedProtocolConnection):  # type: ignore[misc]  # pika has no types
    """A connection that knows its end.

    @ivar trouble: what the broker said against it, or what else it ended for; C{None} as long as it has not ended.
    @ivar gone: fires when it is lost.
    """

    def __init__(self, parameters: ConnectionParameters, reactor: IReactorTime) -> None:
        super().__init__(parameters, custom_reactor=reactor)
        self.trouble: BaseException | None = None
        self.gone: OneShot[None] = OneShot()

    def on_blocked(self, call: Callable[[str], None]) -> None:
        """Have something called with the broker's reason when it takes nothing more, for want of memory or disk."""
        self._impl.add_on_connection_blocked_callback(lambda _, said: call(said.method.reason))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # The adapter keeps neither: what the broker said gives way to this reason, and this one to its own words.
        self.trouble = self._impl._error or reason.value
        super().connectionLost(reason)
        self.gone.succeed(None)


def make_factory(reactor: IReactorTime, address: Address) -> Factory:
    """Make the factory of connections for a user of a virtual host."""
    parameters = ConnectionParameters(
        virtual_host=address.vhost,
        credentials=PlainCredentials(address.user, address.password),
        heartbeat=HEARTBEAT,
        client_properties={"connection_name": "tcworker"},
    )
    return Factory.forProtocol(lambda: _Protocol(parameters, reactor))


class Channel:
    """A channel for publishing, with the connection that it is on."""

    def __init__(self, reactor: IReactorTime, protocol: Any) -> None:
        self._reactor = reactor
        self._protocol = protocol
        self._channel: Any = None
        self._lost: OneShot[object] = OneShot()

    def when_lost(self) -> Deferred[object]:
        """Fire when nothing can be published any more, with the reason."""
        return self._lost.wait()

    async def open(self, exchanges: Iterable[str], blocked: Callable[[str], None]) -> None:
        """Log in, and declare topic exchanges. Raises whatever the broker says against it.

        @param blocked: called with the reason when the broker takes nothing for a while.
        """
        try:
            await self._protocol.ready
        except Exception as error:
            raise self._protocol.trouble or error from None
        self._protocol.closed.addBoth(self._is_lost)
        self._protocol.on_blocked(blocked)
        self._channel = await self._protocol.channel()
        self._channel.on_closed.addBoth(self._is_lost)
        await self._channel.confirm_delivery()
        for exchange in exchanges:
            await self._channel.exchange_declare(exchange, exchange_type="topic", durable=True)

    def publish(self, letter: Letter) -> Deferred[object]:
        """Send a message; fires when the broker has it for certain.

        Fails with C{ValueError} for one that cannot be encoded.
        """
        return maybeDeferred(self._publish, letter)

    def abort(self, why: object) -> None:
        """Break the connection; C{why} is the reason unless there is a better one."""
        self._is_lost(why)
        if self._protocol.transport is not None:
            self._protocol.transport.abortConnection()

    async def close(self) -> None:
        """End the connection as one does, or break it if that does not help; returns when it is gone."""
        if self._protocol.is_open:
            closed: Deferred[object] = self._protocol.close()
            await closed.addTimeout(CLOSE_SECONDS, self._reactor).addErrback(lambda _: None)
        self.abort(None)
        await self._protocol.gone.wait()

    def _is_lost(self, reason: object) -> None:
        self._lost.succeed(self._protocol.trouble or reason)

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
