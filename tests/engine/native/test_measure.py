"""What a run uses of the machine, as the kernel tells it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from tcworker.errors import ConfigError
from tcworker.interfaces import IExecution, Usage
from tcworker.waiting import pause
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, exists, touch
from tests.surroundings import until

BURNS = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
HOLDS = "(head -c 30000000 /dev/zero; exec sleep 600) | tail -c 30000000"


class MeasureTests(NativeCase):
    """By processes, and where groups tell by those."""

    settings: ClassVar[dict[str, Any]] = {}

    def setUp(self):
        if sys.platform != "linux":
            raise SkipTest("nobody measures here")

    async def start(self, *arguments: Any, **settings: Any) -> Any:
        return await super().start(*arguments, **{**self.settings, **settings})

    async def usage(self, execution: IExecution, enough: Callable[[Usage], bool]) -> Usage:
        """Measure until it is enough."""
        while True:
            usage = await execution.measure()
            if enough(usage):
                return usage
            await pause(reactor, 0.02)

    def check_on_disk(self, execution: IExecution) -> None:
        if os.major(os.stat(execution.record.details["folder"]).st_dev) == 0:
            raise SkipTest("this file system is on no disk of its own, maybe in memory")

    async def test_processor_time(self):
        _, execution = await self.start(shell(f"{BURNS}; exec sleep 600"))
        usage = await self.usage(execution, lambda usage: usage.cpu > 0.02)
        self.assertLess(usage.cpu, 5)

    async def test_time_of_those_who_are_dead(self):
        _, execution = await self.start(shell(f"sh -c '{BURNS}'; exec sleep 600"))
        await self.usage(execution, lambda usage: usage.cpu > 0.02)

    async def test_memory(self):
        _, execution = await self.start(shell(HOLDS))
        usage = await self.usage(execution, lambda usage: usage.memory > 29_000_000)
        self.assertLess(usage.memory, 60_000_000)

    async def test_memory_of_whoever_else_shares_it_not_twice(self):
        """A shell that forks others has most of its memory in common with them."""
        _, execution = await self.start(shell("for i in 1 2 3 4 5 6 7 8; do sleep 600 & done; exec sleep 600"))
        usage = await self.usage(execution, lambda usage: usage.processes == 9)
        self.assertLess(usage.memory, 10_000_000)

    async def test_memory_that_processes_share_once(self):
        script = (
            "import mmap, os, time; block = mmap.mmap(-1, 30 << 20); block.write(bytes(30 << 20))\n"
            "for _ in range(3): os.fork() or (block[::4096], time.sleep(600))\n"
            "block[::4096]; time.sleep(600)"
        )
        _, execution = await self.start({"command": [[sys.executable, "-c", script]]})
        usage = await self.usage(execution, lambda usage: usage.processes == 4 and usage.memory > 30 << 20)
        self.assertLess(usage.memory, 90 << 20)

    async def test_processes_come_and_go(self):
        _, execution = await self.start(shell("sleep 600 & sleep 600 & until [ -e go ]; do :; done; kill $!; wait"))
        await self.usage(execution, lambda usage: usage.processes == 3)
        touch(execution.record.details["folder"], "go")
        await self.usage(execution, lambda usage: usage.processes == 2)

    async def test_each_run_begins_with_nothing(self):
        platform = await self.new_platform(**self.settings)
        _, first = await self.start(shell(f"{BURNS}; {BURNS}; {BURNS}"), platform)
        await (await first.when_finished()).dispose()
        _, second = await self.start(shell("exec sleep 600"), platform)
        self.assertEqual(first.record.details["pid"], second.record.details["pid"])
        usage = await second.measure()
        self.assertLess(usage.cpu, 0.05)

    async def test_a_neighbour_is_not_counted(self):
        platform = await self.new_platform(**self.settings)
        await self.start(shell("sleep 600 & sleep 600 & exec sleep 600"), platform)
        _, execution = await self.start(shell("exec sleep 600"), platform)
        self.assertEqual((await execution.measure()).processes, 1)

    async def test_disk(self):
        _, execution = await self.start(shell("dd if=/dev/zero of=file bs=1M count=5 conv=fsync; exec sleep 600"))
        self.check_on_disk(execution)
        await self.usage(execution, lambda usage: usage.disk >= 5 << 20)


class MeasureOwnUsersTests(NativeCase):
    """Of tasks with a file system in memory of their own."""

    def setUp(self):
        if os.geteuid() != 0 or sys.platform != "linux":
            raise SkipTest("only root can make users")

    async def test_files_in_memory(self):
        full = "head -c 30M /dev/zero > /dev/shm/file; : > full; exec sleep 600"
        _, execution = await self.start(shell(full), task_users=True)
        await until(lambda: exists(os.path.join(execution.record.details["folder"], "full")))
        usage = await execution.measure()
        self.assertGreaterEqual(usage.memory, 30 << 20)
        self.assertLess(usage.memory, 60 << 20)


class MeasureWithLimitsTests(MeasureTests):
    """With a group that limits memory, which tells how much of it is used."""

    settings: ClassVar[dict[str, Any]] = {"limits_memory_mb": 200, "limits_pids": 100, "limits_cpus": 4}

    async def new_platform(self, **settings: Any) -> Any:
        try:
            return await super().new_platform(**settings)
        except ConfigError as error:
            raise SkipTest(str(error)) from error

    async def test_what_the_kernel_would_give_up_is_not_memory(self):
        _, execution = await self.start(shell("head -c 50M /dev/zero > file; sync file; : > full; exec sleep 600"))
        self.check_on_disk(execution)
        await until(lambda: exists(os.path.join(execution.record.details["folder"], "full")))
        self.assertLess((await execution.measure()).memory, 20_000_000)
