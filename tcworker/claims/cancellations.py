"""How a worker learns that the queue has ended a run before it renews the claim: by pulse, or by asking."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from tcworker.amqp.address import Address, read_address
from tcworker.claims.hand import Hand
from tcworker.claims.statuses import Statuses, StatusPolls
from tcworker.client.connections import whom_to_trust
from tcworker.config import Config
from tcworker.interfaces import QueueCalls
from tcworker.pulse.messages import Decision
from tcworker.pulse.service import PulseService


class CancellationService(MultiService):
    """Tells the hand of runs that the queue has ended; implements L{tcworker.pulse.service.Listener}.

    The queue is asked for statuses only while there is no pulse.

    @param queue: called with the worker's credentials.
    """

    def __init__(self, reactor: Any, config: Config, queue: QueueCalls, hand: Hand) -> None:
        super().__init__()
        self._hand = hand
        self._polls = StatusPolls(reactor, Statuses(reactor, queue, hand), hand, config.status_poll_secs)
        self._polls.setServiceParent(self)
        if config.pulse is not None:
            self._new_pulse(reactor, config, read_address(config.pulse)).setServiceParent(self)

    def _new_pulse(self, reactor: Any, config: Config, address: Address) -> PulseService:
        trust = whom_to_trust(config.ca_bundle)

        def tls() -> IOpenSSLClientConnectionCreator:
            return trust.creatorForNetloc(address.host.encode("idna"), address.port)

        return PulseService(reactor, address, tls, config.worker_group, config.worker_id, self)

    def heard(self, decision: Decision) -> None:
        """See L{Listener.heard}."""
        self._hand.decided(decision.task_id, decision.run_id, decision.resolution)

    def connected(self) -> None:
        """See L{Listener.connected}."""
        self._polls.rest()

    def disconnected(self) -> None:
        """See L{Listener.disconnected}."""
        self._polls.resume()
