"""What the service manager hears of a worker."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.watch.systemd import LOOK_EVERY, UNWELL_FOR, Notifier, Notifying
from tests.surroundings import open_folder


class Manager:
    """A service manager that listens.

    @ivar address: where.
    """

    def __init__(self, test: SynchronousTestCase, address: str | None = None) -> None:
        self.address = address or f"@tcworker-test-{os.urandom(8).hex()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{self.address[1:]}" if self.address.startswith("@") else self.address)
        test.addCleanup(self._socket.close)

    def heard(self) -> list[str]:
        """The lines of all that has come since the last time."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


class FromTheEnvironment(SynchronousTestCase):
    def notifier(self, **environ: str) -> Notifier | None:
        notifier = Notifier.of_environment(environ)
        if notifier is not None:
            self.addCleanup(notifier.close)
        return notifier

    def watchdog(self, **environ: str) -> float | None:
        notifier = self.notifier(NOTIFY_SOCKET="/no/such/socket", **environ)
        assert notifier is not None
        return notifier.watchdog

    def test_nobody_who_listens(self) -> None:
        for environ in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
            self.assertIsNone(self.notifier(**environ))

    def test_no_watchdog(self) -> None:
        for value in ("", "0", "soon", "-1"):
            self.assertIsNone(self.watchdog(WATCHDOG_USEC=value))

    def test_a_watchdog(self) -> None:
        self.assertEqual(self.watchdog(WATCHDOG_USEC="60000000", WATCHDOG_PID=str(os.getpid())), 60)

    def test_one_for_another_process(self) -> None:
        self.assertIsNone(self.watchdog(WATCHDOG_USEC="60000000", WATCHDOG_PID="1"))

    def assertHears(self, manager: Manager) -> None:
        notifier = self.notifier(NOTIFY_SOCKET=manager.address)
        assert notifier is not None
        notifier.tell("READY=1", "STATUS=well")
        self.assertEqual(manager.heard(), ["READY=1", "STATUS=well"])

    def test_a_name_of_the_abstract_namespace(self) -> None:
        self.assertHears(Manager(self))

    def test_a_path(self) -> None:
        """Not in trial's own folder: paths of sockets are short."""
        self.assertHears(Manager(self, os.path.join(open_folder(self), "notify")))

    def test_a_manager_that_is_gone_is_told_of_once(self) -> None:
        said: list[str] = []

        def hear(event: dict[str, Any]) -> None:
            said.append(formatEvent(event))

        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        notifier = self.notifier(NOTIFY_SOCKET="/no/such/socket")
        assert notifier is not None
        notifier.tell("READY=1")
        notifier.tell("STATUS=well")
        self.assertEqual([line for line in said if "No such file" in line], said)
        self.assertEqual(len(said), 1)


class NotifyingTestCase(SynchronousTestCase):
    """A worker, a manager that watches it, and a clock.

    @cvar watchdog: seconds in which it wants to hear something.
    """

    watchdog: float | None = 60.0

    def setUp(self) -> None:
        self.clock, self.manager = Clock(), Manager(self)
        self.status, self.trouble, self.busy = "boots", "", False
        self.service = Notifying(
            self.clock,
            Notifier(self.manager.address, self.watchdog),
            status=lambda: self.status,
            trouble=lambda: self.trouble,
            busy=lambda: self.busy,
        )
        self.service.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.service.running:
            self.service.stopService()

    def pass_seconds(self, seconds: float) -> list[str]:
        """Give what is heard meanwhile."""
        heard: list[str] = []
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)
            heard += self.manager.heard()
        return heard


class Told(NotifyingTestCase):
    def test_that_it_is_ready_when_it_has_booted(self) -> None:
        self.assertNotIn("READY=1", self.pass_seconds(20))
        self.status = "claims"
        self.service.ready()
        self.assertEqual(self.manager.heard(), ["READY=1", "STATUS=claims"])

    def test_what_it_does_when_that_changes(self) -> None:
        self.assertEqual(self.manager.heard(), ["WATCHDOG=1", "STATUS=boots"])
        self.status = "runs a task\nwith a strange name"
        self.assertEqual(self.pass_seconds(LOOK_EVERY), ["WATCHDOG=1", "STATUS=runs a task with a strange name"])
        self.assertEqual(self.pass_seconds(LOOK_EVERY), ["WATCHDOG=1"])

    def test_that_it_ends(self) -> None:
        self.manager.heard()
        self.stop()
        self.assertIn("STOPPING=1", self.manager.heard())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.service.ready()


class TheWatchdog(NotifyingTestCase):
    def test_of_a_worker_that_is_well(self) -> None:
        heard = self.pass_seconds(600)
        self.assertGreaterEqual(heard.count("WATCHDOG=1"), 600 // 30)

    def test_of_one_that_is_unwell_for_too_long(self) -> None:
        self.trouble = "it sleeps"
        self.assertIn("WATCHDOG=1", self.pass_seconds(UNWELL_FOR - 2 * LOOK_EVERY))
        self.pass_seconds(2 * LOOK_EVERY)
        self.assertNotIn("WATCHDOG=1", self.pass_seconds(60))

    def test_of_one_that_was_unwell_for_a_moment(self) -> None:
        for _ in range(10):
            self.trouble = "it sleeps"
            self.assertIn("WATCHDOG=1", self.pass_seconds(UNWELL_FOR / 2))
            self.trouble = ""
            self.pass_seconds(LOOK_EVERY)

    def test_of_one_that_is_unwell_while_tasks_run(self) -> None:
        """They would be killed with it."""
        self.trouble, self.busy = "it sleeps", True
        self.pass_seconds(UNWELL_FOR)
        self.assertIn("WATCHDOG=1", self.pass_seconds(60))
        self.busy = False
        self.pass_seconds(LOOK_EVERY)
        self.assertNotIn("WATCHDOG=1", self.pass_seconds(60))


class AHastyWatchdog(NotifyingTestCase):
    watchdog = 2.0

    def test_it_hears_twice_in_its_time(self) -> None:
        self.assertGreaterEqual(self.pass_seconds(20).count("WATCHDOG=1"), 20)


class WithoutWatchdog(NotifyingTestCase):
    watchdog = None

    def test_only_news_are_told(self) -> None:
        self.trouble = "it sleeps"
        self.assertEqual(self.pass_seconds(300), ["STATUS=boots"])
