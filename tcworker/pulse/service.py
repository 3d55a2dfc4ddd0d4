"""Listens to a broker for what the queue decides of this worker's runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger

from tcworker.amqp.address import Address
from tcworker.amqp.link import Link
from tcworker.pulse.messages import EXCHANGE, Decision, binding_of, read_decision
from tcworker.worker_log import LineRation

if TYPE_CHECKING:
    from tcworker.pulse.listening import Delivery, ListeningChannel

HEARTBEAT = 10
"""Seconds: a link that is cut off without a word is noticed within thirty."""

_log = Logger()


class Listener(Protocol):
    """Who wants to know."""

    def heard(self, decision: Decision) -> None:
        """The queue ended a run. It may have been said before, and of a run of somebody else."""

    def connected(self) -> None:
        """From now on everything is heard; what came before may have been missed."""

    def disconnected(self) -> None:
        """From now on nothing is heard."""


class PulseService(Service):
    """Tells a listener of each run of a worker that the queue ends.

    A broker that is away is a warning, and looked for again. No trouble here is anybody else's.

    @param reactor: anything that endpoints of host names can connect with.
    @param tls: checks the certificate of a broker whose address asks for TLS.
    """

    def __init__(
        self,
        reactor: Any,
        address: Address,
        tls: Callable[[], IOpenSSLClientConnectionCreator],
        worker_group: str,
        worker_id: str,
        listener: Listener,
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._binding = binding_of(worker_group, worker_id)
        self._listener = listener
        self._strange = LineRation(reactor.seconds)
        self._link = Link(
            reactor,
            address,
            heartbeat=HEARTBEAT,
            tls=tls,
            new=self._new_channel,
            serve=self._listen,
            lost=self._lost,
        )

    def startService(self) -> None:
        """Look for the broker."""
        super().startService()
        self._link.start()

    def stopService(self) -> Deferred[None]:
        """Listen no more; fires when the connection is closed."""
        super().stopService()
        return self._link.stop()

    def _new_channel(self, protocol: Any) -> ListeningChannel:
        # Not before there is a reactor.
        from tcworker.pulse.listening import ListeningChannel

        return ListeningChannel(self._reactor, protocol, self._address.user, EXCHANGE, self._binding)

    async def _listen(self, channel: ListeningChannel) -> object:
        _log.info("listening to the broker at {address}", address=self._address)
        self._listener.connected()
        try:
            while True:
                self._take(await channel.next())
        finally:
            self._listener.disconnected()

    def _take(self, delivery: Delivery) -> None:
        try:
            # The queue alone may publish there: what comes another way anybody may have said.
            if delivery.exchange != EXCHANGE:
                raise ValueError(f"it came by the exchange {delivery.exchange!r}, and not by {EXCHANGE}")
            decision = read_decision(delivery.body)
        except ValueError as error:
            self._say_strange(error)
            return
        if decision is not None:
            self._pass_on(decision)

    def _say_strange(self, error: ValueError) -> None:
        if (more := self._strange.take()) is not None:
            text = "a message from the broker at {address} is none: {error}{more}"
            _log.warn(text, address=self._address, error=error, more=more)

    def _pass_on(self, decision: Decision) -> None:
        try:
            self._listener.heard(decision)
        except Exception:
            # The next message may be about another run.
            _log.failure("a decision of the queue was lost: {decision}", decision=decision)

    def _lost(self, trouble: object, delay: float) -> None:
        text = "the broker at {address} is not to be heard: {trouble!r}; next attempt in {delay:.1f} s"
        _log.warn(text, address=self._address, trouble=trouble, delay=delay)
