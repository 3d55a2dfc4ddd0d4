"""A worker on its own machine."""

from __future__ import annotations

from twisted.application.service import IService
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tcworker.host.local import LocalHost
from tcworker.interfaces import Exit, IHost


class TheLocalHost(SynchronousTestCase):
    def setUp(self) -> None:
        self.host = LocalHost(Clock(), {"capacity": 2})

    def test_it_is_a_host_and_a_service(self) -> None:
        self.assertTrue(verifyObject(IHost, self.host))
        self.assertTrue(IService.providedBy(self.host))

    def test_it_adds_nothing_to_the_configuration(self) -> None:
        self.assertEqual(self.successResultOf(self.host.load_config()), {})

    def test_it_never_asks_to_go(self) -> None:
        self.assertIs(self.successResultOf(self.host.should_shut_down_now(1e9)), False)
        self.host.on_shutting_down(self.fail)()
        self.host.on_credentials(self.fail)()

    def test_it_is_left_as_it_is(self) -> None:
        self.assertIsNone(self.successResultOf(self.host.leave(Exit(0, "done"))))
