"""A connection to a broker for as long as it is wanted: a new one whenever it is lost."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.logger import Logger

from tcworker.amqp.address import Address
from tcworker.retry import Backoff
from tcworker.waiting import Loose, pause

if TYPE_CHECKING:
    from tcworker.amqp.connection import Channel

C = TypeVar("C", bound="Channel")

RETRIES = Backoff(first=1.0, most=60.0)
CONNECT_SECONDS = 30.0

STEADY = 5.0
"""Seconds for which a connection must have been of use for the next one to be tried for as if nothing had happened."""


class Link(Generic[C]):
    """Has a channel at a broker, and a new one when it is lost, until it is stopped.

    @param reactor: anything that endpoints of host names can connect with.
    @param heartbeat: see L{tcworker.amqp.connection.make_factory}.
    @param tls: checks the broker's certificate, if the address asks for TLS.
    @param new: makes a channel on a connection, not opened yet.
    @param serve: uses an open one as long as it lasts; gives the reason why it does not any more, or raises it.
    @param lost: told of each trouble, and after how many seconds the next attempt comes.
    """

    def __init__(
        self,
        reactor: Any,
        address: Address,
        *,
        heartbeat: int,
        tls: Callable[[], IOpenSSLClientConnectionCreator],
        new: Callable[[Any], C],
        serve: Callable[[C], Coroutine[Deferred[Any], Any, object]],
        lost: Callable[[object, float], None],
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._heartbeat = heartbeat
        self._tls = tls
        self._new = new
        self._serve = serve
        self._lost = lost
        self._ended = False
        self._keeping = Loose(Logger())

    def start(self) -> None:
        """Look for the broker."""
        self._keeping.run(self._keep(), "the connection to a broker")

    def stop(self) -> Deferred[None]:
        """Close the connection, or give up looking for one; fires when nothing is left. Repeatable."""
        self._ended = True
        return self._keeping.cancel()

    async def _keep(self) -> None:
        delays = RETRIES.delays()
        while True:
            trouble, served = await self._connect_and_serve()
            # It is also how the end comes about.
            if self._ended:
                return
            if served >= STEADY:
                delays = RETRIES.delays()
            delay = next(delays)
            self._lost(trouble, delay)
            await pause(self._reactor, delay)

    async def _connect_and_serve(self) -> tuple[object, float]:
        """Have a connection as long as it lasts; gives why it does not, and for how many seconds it was of use."""
        try:
            channel = await self._connect()
        except Exception as error:
            return error, 0.0
        begun = self._reactor.seconds()
        trouble = await self._serve_by(channel)
        return trouble, self._reactor.seconds() - begun

    async def _serve_by(self, channel: C) -> object:
        try:
            return await self._serve(channel)
        except Exception as error:
            return error
        finally:
            await channel.close()

    async def _connect(self) -> C:
        # Not before there is a reactor.
        from tcworker.amqp.connection import make_factory

        factory = make_factory(self._reactor, self._address, self._heartbeat)
        channel = self._new(await self._endpoint().connect(factory))
        try:
            opening = Deferred.fromCoroutine(channel.open())
            await opening.addTimeout(CONNECT_SECONDS, self._reactor, no_answer)
        except BaseException:
            await channel.close()
            raise
        return channel

    def _endpoint(self) -> IStreamClientEndpoint:
        address = self._address
        endpoint = HostnameEndpoint(self._reactor, address.host, address.port, timeout=CONNECT_SECONDS)
        return wrapClientTLS(self._tls(), endpoint) if address.secure else endpoint


def no_answer(_: object, seconds: float) -> NoReturn:
    """What becomes of an answer for which somebody waits too long."""
    raise TimeoutError(f"no answer within {seconds:.0f} s")
