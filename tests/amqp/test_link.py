"""A connection that is wanted for good, to a broker that is away."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.amqp.address import Address
from tcworker.amqp.link import Link

ADDRESS = Address("127.0.0.1", 1234, "vhost", "user", "secret")


class Away(SynchronousTestCase):
    """Nobody listens at its address."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.delays: list[float] = []
        self.link = self.new_link()

    def new_link(self) -> Link[Any]:
        def never(*_: object) -> Any:
            raise AssertionError("there is no connection")

        tls = lambda: optionsForClientTLS(ADDRESS.host)  # noqa: E731  # not used here
        link: Link[Any] = Link(self.reactor, ADDRESS, heartbeat=10, tls=tls, new=never, serve=never, lost=self.lost)
        self.addCleanup(lambda: self.successResultOf(link.stop()))
        link.start()
        return link

    def lost(self, trouble: object, delay: float) -> None:
        self.assertIsInstance(trouble, ConnectionRefusedError)
        self.delays.append(delay)

    def refuse(self) -> None:
        """Refuse the connection that was asked for last."""
        # An address with several hosts would have another one tried first.
        self.reactor.advance(1)
        factory: Any = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def refuse_again_and_again(self, times: int) -> list[float]:
        """Give the delays after so many attempts, the first of which is under way."""
        self.delays = []
        for _ in range(times):
            self.refuse()
            self.reactor.advance(self.delays[-1] + 0.01)
        return self.delays

    def test_it_is_tried_for_again_when_it_was_said(self) -> None:
        self.refuse()
        self.reactor.advance(self.delays[0] - 0.01)
        self.assertEqual(len(self.reactor.tcpClients), 1)
        self.reactor.advance(0.02)
        self.assertEqual(len(self.reactor.tcpClients), 2)

    def test_ever_more_rarely_but_never_more_so_than_once_a_minute(self) -> None:
        delays = self.refuse_again_and_again(20)
        self.assertLess(delays[0], delays[2])
        self.assertLess(delays[2], delays[4])
        self.assertTrue(all(45 <= delay <= 60 for delay in delays[7:]), delays)

    def test_not_by_all_workers_at_once(self) -> None:
        first = []
        for _ in range(50):
            # Another worker, which is not to be held up by what this one still tries.
            self.reactor = MemoryReactorClock()
            self.new_link()
            self.refuse()
            first.append(self.delays[-1])
        self.assertTrue(all(0.75 <= delay <= 1.25 for delay in first), first)
        # A tenth of what they may: fifty never all fall into that by chance.
        self.assertGreater(max(first) - min(first), 0.05)

    def test_it_stops_while_it_waits_or_connects(self) -> None:
        self.successResultOf(self.link.stop())
        other = self.new_link()
        self.refuse()
        self.successResultOf(other.stop())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
