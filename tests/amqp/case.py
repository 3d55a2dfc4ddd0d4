"""Tests of services that keep a connection to a broker: by a clock that a test moves, with all that is logged."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase


class BrokerCase(SynchronousTestCase):
    """A service that a test has started with L{start}: in the end nothing of it is left, and no password in the log."""

    pulse: Service

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)

    def start(self) -> None:
        self.pulse.startService()
        self.addCleanup(self.finish)

    def finish(self) -> None:
        if self.pulse.running:
            self.pulse.stopService()
        self.reactor.pump([1] * 10)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertNotIn("secret", self.logged())

    def logged(self) -> str:
        return "\n".join(formatEvent(event) for event in self.events)
