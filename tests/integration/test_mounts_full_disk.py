"""Disks too small for what tasks mount, where something can make way; and where nothing can."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.internet import reactor

from tests.definitions import shell
from tests.engine.native.harness import slow_copies
from tests.integration.mounts_case import SCOPES, MountsCase
from tests.integration.test_full_disk import mounted_disk
from tests.surroundings import open_folder, until

MEGABYTE = 1_000_000

IDLE = {"cacheName": "idle", "directory": "idle"}
CACHE = {"cacheName": "checkouts", "directory": "build"}


def fill(path: str, megabytes: int) -> str:
    """A command that makes a file."""
    return f"head -c {megabytes}M /dev/urandom > {path}"


class SmallDisk(MountsCase):
    """A worker with a disk of 48 MB.

    @cvar on_it: the settings whose folders are there.
    """

    settings: ClassVar[Mapping[str, Any]] = {"taskUsers": False}
    on_it: ClassVar[tuple[str, ...]]

    def own_settings(self) -> Mapping[str, Any]:
        self.disk = mounted_disk(self, 48)
        return {name: os.path.join(self.disk, name) for name in self.on_it}

    async def completes(self, script: str, *mounts: Any) -> str:
        """Run a task that must succeed; its log."""
        outcome = await self.mounting(script, *mounts)
        self.assertResolved(outcome, "completed")
        return outcome.log


class AllOnOneDisk(SmallDisk):
    on_it = ("tasksDir", "stateDir")

    async def test_a_file_has_room_when_a_cache_has_made_way(self) -> None:
        await self.completes(fill("idle/x", 20), IDLE)
        # Here twice for a moment: as what is kept, and as the task's copy.
        await self.completes("test -s f", {"file": "f", "content": self.url("/f", os.urandom(16 * MEGABYTE))})
        await self.completes("test ! -e idle/x", IDLE)


class CachesOnADiskOfTheirOwn(SmallDisk):
    on_it = ("cachesDir",)

    async def test_one_cache_makes_way_for_another_that_is_given_back(self) -> None:
        await self.completes(fill("idle/x", 24), IDLE)
        await self.completes(fill("build/x", 28), CACHE)
        await self.completes("test -s build/x", CACHE)
        await self.completes("test ! -e idle/x", IDLE)

    async def test_one_that_has_become_larger_than_the_disk(self) -> None:
        outcome = await self.mounting(fill("build/x", 60), CACHE)
        self.assertResolved(
            outcome,
            "exception/resource-unavailable",
            f"payload.mounts[0]: cache checkouts (60.0 MiB) on build cannot be kept: the disk of {self.disk}/cachesDir "
            "is full, with ",
        )
        self.assertEqual(outcome.verdict["cause"], "no-disk")
        await self.completes("test ! -e build/x", CACHE)

    async def test_the_worker_does_not_wait_for_a_copy_when_it_must_go(self) -> None:
        await self.client.create(shell("touch begun; sleep 1", mounts=[CACHE]), scopes=list(SCOPES))
        await self.until_begun()
        copies = slow_copies(open_folder(self))
        self.patch(os, "defpath", copies)
        await until(lambda: os.path.exists(f"{copies}/begun"))
        begun = reactor.seconds()
        self.site.worker.stop_now(3, "the machine goes away")
        await self.site.worker.when_stopped()
        self.assertLess(reactor.seconds() - begun, 6)
        self.assertEqual(self.kept(), [])


class TasksOnADiskOfTheirOwn(SmallDisk):
    on_it = ("tasksDir",)

    async def test_a_cache_that_is_too_large_is_thrown_away(self) -> None:
        """Else all tasks that have it would end so, and nobody could mend it."""
        archive = self.tar_of_zeros(60)
        content = {"content": self.url("/archive", archive), "format": "tar.gz"}
        outcome = await self.mounting("true", {**CACHE, **content})
        self.assertResolved(
            outcome,
            "exception/resource-unavailable",
            "cache checkouts is thrown away, and the next task begins with a new one: it has become too large",
            f"payload.mounts[0]: cache checkouts (60.0 MiB) cannot be put on build: the disk of {self.disk}/tasksDir "
            "is full, with ",
        )
        await self.completes("test ! -e build/x", CACHE)

    async def test_what_is_kept_elsewhere_does_not_make_way(self) -> None:
        """It would be in vain."""
        await self.completes(fill("idle/x", 1), IDLE)
        outcome = await self.mounting("true", {"file": "f", "content": self.url("/f", os.urandom(60 * MEGABYTE))})
        self.assertResolved(outcome, "exception/resource-unavailable", "mounts[0]: the file (57.2 MiB) cannot be put")
        await self.completes("test -e idle/x", IDLE)

    def tar_of_zeros(self, megabytes: int) -> bytes:
        script = f"head -c {megabytes}M /dev/zero > x; tar -cz x; rm x"
        folder = os.path.dirname(self.disk)
        return subprocess.run(["sh", "-ec", script], cwd=folder, check=True, capture_output=True).stdout
