"""A disk that is full: who is to blame, and what is said of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.claims.internal_errors import IN_A_ROW
from tests.definitions import shell
from tests.integration.bad_case import OF_NOBODY, BadCase
from tests.integration.task_client import Outcome
from tests.surroundings import open_folder, until

FILL = "head -c 100M /dev/zero > fill"

REST = "while head -c 500 /dev/zero >> rest; do :; done"
"""What asks for much at once may leave some room for what is little."""

PRINT = "while :; do head -c 10000 /dev/zero | tr '\\000' x; sleep 0.01; done"


class SmallDisk(BadCase):
    """A worker with a disk of 16 MB.

    @cvar on_it: the settings whose folders are there.
    """

    settings: ClassVar = OF_NOBODY
    on_it: ClassVar[tuple[str, ...]] = ()

    def own_settings(self) -> Mapping[str, Any]:
        self.disk = mounted_disk(self, 16)
        return {name: os.path.join(self.disk, name) for name in self.on_it}

    async def assertWorks(self) -> None:
        """Fail unless the next task works, once there is room again: C{requiredDiskSpaceMegabytes} waits for that."""
        if hasattr(self, "before"):
            await self.nothing_left()
        await super().assertWorks()
        # What could not be remembered is in the worker's log.
        self.flushLoggedErrors(sqlite3.OperationalError)


class TasksOnABrokenDisk(SmallDisk):
    """One that has become read-only, as file systems do that met an error."""

    on_it = ("tasksDir",)

    async def test_is_the_worker_s_fault(self) -> None:
        """Of which some in a row hold it back: it would spoil all tasks that there are."""
        self.remount("ro")
        line = (
            f"no folder for the task can be made in {self.disk}/tasksDir: Read-only file system. The worker needs that"
        )
        for _ in range(IN_A_ROW):
            outcome = await self.run_task(shell("true"))
            self.assertResolved(outcome, "exception/internal-error", line)
            self.assertEqual(outcome.verdict["cause"], "worker-fault")
        self.assertIn(f"look after {self.disk}/tasksDir and its disk (dmesg)", outcome.log)
        await until(lambda: "were internal errors" in (self.site.worker.status()["heldBack"] or ""))
        self.remount("rw")

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", self.disk], check=True)


def mounted_disk(test: SynchronousTestCase, megabytes: int) -> str:
    """A file system in a file, or in memory where that cannot be; gone after the test."""
    folder = open_folder(test)
    image, disk = f"{folder}/image", f"{folder}/disk"
    os.mkdir(disk)
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    in_memory = f"size={megabytes}m,nr_inodes=3000"
    if not (_mount("-o", "loop", image, disk) or _mount("-t", "tmpfs", "-o", in_memory, "tmpfs", disk)):
        raise SkipTest("nothing can be mounted here")
    test.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=True)
    return disk


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], stderr=subprocess.DEVNULL).returncode == 0


class TasksAndLogsOnOneDisk(SmallDisk):
    on_it = ("tasksDir", "stateDir")

    async def test_a_log_that_cannot_be_written(self) -> None:
        outcome = await self.endure(shell(f"echo begun; {FILL}; {PRINT}"), "exception/resource-unavailable", "begun")
        self.assertTold(outcome)

    async def test_a_task_that_fills_it_and_goes(self) -> None:
        # Its log is where there is no room any more, beyond the block that it has already.
        last = "head -c 5000 /dev/zero | tr '\\000' x"
        outcome = await self.endure(shell(f"{FILL}; {REST}; {last}"), "exception/resource-unavailable")
        self.assertTold(outcome)

    def assertTold(self, outcome: Outcome) -> None:
        """Fail unless the log, which is published all the same, says what is full, and where."""
        self.assertEqual((outcome.verdict["cause"], outcome.verdict["whose"]), ("no-disk", "worker"))
        told = [line for line in outcome.errors if f"{self.disk}/stateDir/runs/" in line]
        self.assertTrue(told and ("No space left on device" in told[0] or "disk was full" in told[0]), outcome.log)


class TasksOnADiskOfTheirOwn(SmallDisk):
    on_it = ("tasksDir",)

    async def test_is_the_task_s_own_failure(self) -> None:
        await self.endure(shell(f"set -e; {FILL}"), "failed", "No space left on device", "exited with status 1")

    async def test_there_is_no_room_for_its_folder(self) -> None:
        self.fill()
        outcome = await self.run_task(shell("true"))
        line = f"no folder for the task can be made in {self.disk}/tasksDir: No space left on device"
        self.assertResolved(outcome, "exception/resource-unavailable", line)
        self.assertEqual(outcome.verdict["cause"], "no-disk")
        shutil.rmtree(f"{self.disk}/fill")
        await self.assertWorks()

    def fill(self) -> None:
        """Let there be no room for another folder."""
        os.mkdir(f"{self.disk}/fill")
        with self.assertRaises(OSError):
            for number in range(100_000):
                os.mkdir(f"{self.disk}/fill/{number}")
