"""One connection to a broker, by pika's adapter to Twisted.

To be imported when there is a reactor: the adapter asks for the global one as it is imported, though it uses the one
that it is given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pika import ConnectionParameters, PlainCredentials
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from tcworker.amqp.address import Address
from tcworker.waiting import OneShot

CLOSE_SECONDS = 0.5

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
        self._unreadable: Exception | None = None

    def on_blocked(self, call: Callable[[str], None]) -> None:
        """Have something called with the broker's reason when it takes nothing more, for want of memory or disk."""
        self._impl.add_on_connection_blocked_callback(lambda _, said: call(said.method.reason))

    def dataReceived(self, data: bytes) -> None:
        # What is not AMQP would else be a traceback in the log, each time.
        try:
            super().dataReceived(data)
        except Exception as error:
            self._unreadable = error
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # The adapter keeps neither: what the broker said gives way to this reason, and this one to its own words.
        self.trouble = self._unreadable or self._impl._error or reason.value
        super().connectionLost(reason)
        self.gone.succeed(None)


def make_factory(reactor: IReactorTime, address: Address, heartbeat: int) -> Factory:
    """Make the factory of connections for a user of a virtual host.

    @param heartbeat: seconds; both sides say something at least so often, and hang up if the other one says nothing for
        twice as long.
    """
    parameters = ConnectionParameters(
        virtual_host=address.vhost,
        credentials=PlainCredentials(address.user, address.password),
        heartbeat=heartbeat,
        client_properties={"connection_name": "tcworker"},
    )
    factory: Factory = Factory.forProtocol(lambda: _Protocol(parameters, reactor))
    factory.noisy = False
    return factory


class Channel:
    """A channel, with the connection that it is on; what it is for is up to a subclass."""

    def __init__(self, reactor: IReactorTime, protocol: Any) -> None:
        self._reactor = reactor
        self._protocol = protocol
        self._lost: OneShot[object] = OneShot()

    def when_lost(self) -> Deferred[object]:
        """Fire when the channel is of no use any more, with the reason."""
        return self._lost.wait()

    async def open(self) -> None:
        """Log in, and prepare what the channel is for. Raises whatever the broker says against it."""
        try:
            await self._protocol.ready
        except Exception as error:
            raise self._protocol.trouble or error from None
        self._protocol.closed.addBoth(self._is_lost)
        channel = await self._protocol.channel()
        channel.on_closed.addBoth(self._is_lost)
        await self._prepare(channel)

    async def _prepare(self, channel: Any) -> None:
        """Have the broker do what must be done before the channel can be used.

        @param channel: pika's.
        """
        raise NotImplementedError

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
