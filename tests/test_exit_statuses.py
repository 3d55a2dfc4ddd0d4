"""What the process of a worker ends with (contracts of generic-worker, 6), and what becomes of its machine."""

from __future__ import annotations

import os
import pwd
from contextlib import redirect_stderr
from io import StringIO
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import ProcessStatus
from tcworker.host.local import LocalHost
from tcworker.state import StateStore
from tcworker.tap import Options, makeService
from tests import test_tap
from tests.test_tap import READY, Twistd, TwistdTestCase


class MachineInATest(LocalHost):
    """A host that notes in its working directory that the machine would be powered off now."""

    shutdown = ("touch", "powered-off")


class MachineToGive(MachineInATest):
    """One that is wanted elsewhere."""

    def should_shut_down_now(self, idle_seconds: float) -> Deferred[bool]:
        return succeed(True)


class StatusTestCase(TwistdTestCase):
    """A C{twistd tcworker} whose Taskcluster is not there."""

    host: ClassVar[type[LocalHost]] = MachineInATest

    def setUp(self) -> None:
        super().setUp()
        self.settings["host"] = f"{self.host.__module__}.{self.host.__name__}"

    def powered_off(self) -> bool:
        return (self.folder / "powered-off").exists()

    async def end_with(self, **settings: Any) -> tuple[int | None, bool]:
        """Give the status, and whether the machine is powered off."""
        self.settings |= settings
        status = await self.start_tcworker().ended()
        return status, self.powered_off()


class TheTasksToRunHaveRun(StatusTestCase):
    async def test_it_ends_at_once(self) -> None:
        store = await StateStore.open(reactor, str(self.folder / "state"))
        await store.count_task()
        await store.close()
        self.assertEqual(await self.end_with(numberOfTasksToRun=1), (ProcessStatus.DONE, False))
        self.assertIn("numberOfTasksToRun is 1, and 1 began here: raise it", self.twistd.out[2])
        self.assertNotIn(READY, self.twistd.out[2])


class TheHostWantsItGone(StatusTestCase):
    host = MachineToGive

    async def test_it_goes(self) -> None:
        self.assertEqual(await self.end_with(), (ProcessStatus.HOST_SAYS_GO, False))


class SecretsThatTasksCouldRead(SynchronousTestCase):
    def test_nothing_starts(self) -> None:
        path = self.mktemp()
        with open(path, "w") as file:
            # Our own, for only root may name another one.
            user = pwd.getpwuid(os.geteuid()).pw_name
            file.write(
                f"{{rootURL: http://x, clientId: c, accessToken: t, workerType: w, workerId: i, taskUser: {user}}}"
            )
        os.chmod(path, 0o644)
        self.patch(os, "chmod", self.refuse)
        options = Options()
        options.parseOptions(["--config", path])
        with redirect_stderr(StringIO()) as printed:
            error = self.assertRaises(SystemExit, makeService, options)
        self.assertEqual((error.code, path in printed.getvalue()), (ProcessStatus.EXPOSED_CONFIG, True))

    def refuse(self, path: str, mode: int) -> None:
        raise PermissionError(30, "Read-only file system")


class PoweringOff(StatusTestCase):
    """Only where it is configured, and only by the host that owns the machine."""

    async def test_after_being_idle(self) -> None:
        ended = await self.end_with(idleTimeoutSecs=1, shutdownMachineOnIdle=True)
        self.assertEqual(ended, (ProcessStatus.IDLE, True))
        self.assertIn("nothing to do for ", self.twistd.out[2])

    async def test_after_an_internal_error(self) -> None:
        (self.folder / "state").touch()
        ended = await self.end_with(shutdownMachineOnInternalError=True)
        self.assertEqual(ended, (ProcessStatus.INTERNAL_ERROR, True))

    async def test_not_while_another_worker_has_its_state(self) -> None:
        self.settings["shutdownMachineOnInternalError"] = True
        await self.start_tcworker().until(READY)
        second = Twistd(str(self.folder), "-n", "--pidfile=", "tcworker", "--config", "worker.yml")
        self.assertEqual((await second.ended(), self.powered_off()), (ProcessStatus.INTERNAL_ERROR, False))


STATUSES = {
    ProcessStatus.DONE: TheTasksToRunHaveRun.test_it_ends_at_once,
    ProcessStatus.UNUSABLE_CONFIG: test_tap.BadSettings.test_all_faults_are_printed_and_nothing_starts,
    ProcessStatus.IDLE: PoweringOff.test_after_being_idle,
    ProcessStatus.INTERNAL_ERROR: PoweringOff.test_after_an_internal_error,
    ProcessStatus.HOST_SAYS_GO: TheHostWantsItGone.test_it_goes,
    ProcessStatus.INTERRUPTED: test_tap.NoTaskcluster.test_each_signal_has_its_exit_status,
    ProcessStatus.SHUTDOWN: test_tap.NoTaskcluster.test_each_signal_has_its_exit_status,
    ProcessStatus.INVALID_CONFIG: test_tap.BadSettings.test_values_that_do_not_fit_have_a_status_of_their_own,
    ProcessStatus.EXPOSED_CONFIG: SecretsThatTasksCouldRead.test_nothing_starts,
}
"""The test of each, with a process wherever one can be had."""


class AllOfThem(SynchronousTestCase):
    def test_each_has_a_test(self) -> None:
        self.assertEqual(STATUSES.keys(), set(ProcessStatus))
