"""A worker on its own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tcworker.host.local import LocalHost
from tcworker.interfaces import Exit, IHost, ProcessStatus
from tcworker.power import SHUTDOWN


class TheLocalHost(SynchronousTestCase):
    def setUp(self) -> None:
        self.host = LocalHost(Clock(), {"capacity": 2})  # type: ignore[arg-type]  # it starts nothing here

    def test_it_is_a_host_and_a_service(self) -> None:
        self.assertTrue(verifyObject(IHost, self.host))
        self.assertTrue(IService.providedBy(self.host))

    def test_it_adds_nothing_to_the_configuration(self) -> None:
        self.assertEqual(self.successResultOf(self.host.load_config()), {})

    def test_it_never_asks_to_go(self) -> None:
        self.assertIs(self.successResultOf(self.host.should_shut_down_now(1e9)), False)
        self.host.on_shutting_down(self.fail)()
        self.host.on_credentials(self.fail)()


class PoweringOff(TestCase):
    """With a command in the place of shutdown that only notes that it ran."""

    timeout = 60

    def setUp(self) -> None:
        self.note = Path(self.mktemp()).absolute()

    async def is_powered_off(self, status: int, **values: Any) -> bool:
        class Host(LocalHost):
            shutdown = ("touch", str(self.note))

        await Host(reactor, values).leave(Exit(status, "over"))
        return self.note in self.note.parent.iterdir()

    async def test_after_being_idle(self) -> None:
        self.assertTrue(await self.is_powered_off(ProcessStatus.IDLE, shutdownMachineOnIdle=True))

    async def test_after_an_internal_error(self) -> None:
        self.assertTrue(await self.is_powered_off(ProcessStatus.INTERNAL_ERROR, shutdownMachineOnInternalError=True))

    async def test_not_unless_it_is_configured(self) -> None:
        for status in ProcessStatus:
            self.assertFalse(await self.is_powered_off(status), status)
            self.assertFalse(await self.is_powered_off(status, shutdownMachineOnIdle=False), status)

    async def test_not_after_any_other_end(self) -> None:
        for status in set(ProcessStatus) - {ProcessStatus.IDLE, ProcessStatus.INTERNAL_ERROR}:
            both = {"shutdownMachineOnIdle": True, "shutdownMachineOnInternalError": True}
            self.assertFalse(await self.is_powered_off(status, **both), status)
        self.assertFalse(await self.is_powered_off(ProcessStatus.IDLE, shutdownMachineOnInternalError=True))

    def test_the_command_is_that_of_the_system(self) -> None:
        self.assertEqual((LocalHost.shutdown, SHUTDOWN), (SHUTDOWN, ("shutdown", "-h", "now")))
