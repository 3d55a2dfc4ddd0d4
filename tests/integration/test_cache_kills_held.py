"""C{kill -9} of a worker that stands still while it moves, copies or removes a cache."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from glob import glob
from pathlib import Path
from typing import Any

from tests.integration.cache_kills import CacheKills
from tests.integration.processes import BIN, ROOT, Command
from tests.storm.disk import SmallDisk
from tests.surroundings import until

KEPT = r"\S+/caches/cache-\w+"
"""Where a cache is that no task has."""

TAKEN, ASIDE, GOING = r"\S+/tasks/\S+/cache", r"\S+/out-\d+/it", r"\S+/caches/gone-\w+"
"""In a task's folder, on its way out of that, and on its way to nowhere."""

MEGABYTES = 3


class HeldKills(CacheKills):
    """The second task has a cache that the first one left, and is cut where the test holds the worker."""

    def command(self, *arguments: str) -> Command:
        program = (os.path.join(BIN, os.path.basename(sys.executable)), "-m", "tests.integration.held_worker")
        command = Command(self.before([*program, self.folder, *arguments]), ROOT, environment={"PYTHONPATH": ROOT})
        self.addCleanup(command.kill)
        return command

    def before(self, command: list[str]) -> list[str]:
        """What runs a command where it sees all disks."""
        return command

    def hold(self, step: str) -> None:
        """Let no worker go further than this step, which is a pattern of L{tests.integration.held_worker}."""
        Path(self.path("hold.new")).write_text(json.dumps(step))
        os.rename(self.path("hold.new"), self.path("hold"))

    def held(self) -> bool:
        return os.path.exists(self.path("held"))

    def go_on(self) -> None:
        for path in glob(self.path("hold*")):
            os.unlink(path)

    async def assertSurvivesStep(self, step: str) -> None:
        """Kill a worker at a step of the second task with a cache."""
        first = self.start()
        await self.assertCompleted(await self.use(self.tree("tree")))
        self.hold(step)
        await self.assertSurvivesDeath(first, self.held)

    async def assertSurvivesDeath(self, first: Command, at: Callable[[], object]) -> None:
        """Kill a worker once it has come so far with a second task."""
        task_id = await self.use(self.tree("tree"), "touch begun")
        await self.die(first, at)
        self.go_on()
        await self.assertNextIsWhole(task_id)
        await self.assertCut(task_id)


class OnOneDisk(HeldKills):
    """A cache is renamed."""

    async def test_it_is_to_be_moved_in(self) -> None:
        await self.assertSurvivesStep(f"before rename {KEPT} {TAKEN}")

    async def test_it_has_been_moved_in(self) -> None:
        await self.assertSurvivesStep(f"after rename {KEPT} {TAKEN}")

    async def test_it_is_to_be_moved_out(self) -> None:
        await self.assertSurvivesStep(f"before rename {TAKEN} {ASIDE}")

    async def test_it_is_on_its_way_out(self) -> None:
        await self.assertSurvivesStep(f"before rename {ASIDE} {KEPT}")

    async def test_it_has_been_moved_out(self) -> None:
        await self.assertSurvivesStep(f"after rename {ASIDE} {KEPT}")


class BetweenDisks(HeldKills):
    """A cache is copied, and the other one removed."""

    async def prepare(self) -> None:
        self.disk = await SmallDisk.mount(self, self.path("caches"), 64)
        await super().prepare()

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "cachesDir": self.disk.path}

    def before(self, command: list[str]) -> list[str]:
        return [*self.disk.before(command)]

    def folders(self) -> set[str]:
        there = {os.path.join(self.disk.path, name) for name in os.listdir(self.disk.seen) if name != "lock"}
        return super().folders() | there

    async def test_it_is_half_copied_in(self) -> None:
        first = self.start()
        await self.assertCompleted(await self.use(self.tree("tree")))
        self.hold_copies()
        await self.assertSurvivesDeath(first, self.copying)

    async def test_it_is_in_two_places_once_it_was_copied_in(self) -> None:
        await self.assertSurvivesStep(rf"after rename \S+/copy-\d+ {TAKEN}")

    async def test_it_is_half_removed_once_it_was_copied_in(self) -> None:
        await self.assertSurvivesStep(f"after unlink {KEPT}/")

    async def test_it_is_half_copied_out(self) -> None:
        first, task_id = await self.copying_out()
        await self.die(first, self.copying)
        self.go_on()
        await self.assertNextIsWhole(task_id)
        await self.assertCut(task_id)

    async def test_whoever_copies_it_out_outlives_the_worker(self) -> None:
        first, task_id = await self.copying_out()
        await self.die(first, self.copying, "worker")
        second = self.start()
        await until(lambda: self.claimed, 30, lambda: second.output)
        self.go_on()
        await self.assertCompleted(task_id)
        await self.assertEndsInOrder(second)
        await self.assertNextIsWhole()
        await self.assertCut(task_id)

    async def test_it_is_half_removed_once_it_was_copied_out(self) -> None:
        await self.assertSurvivesStep(f"after unlink {ASIDE}/")

    def hold_copies(self) -> None:
        """Let no copying come to its end."""
        Path(self.path("hold-copies")).touch()

    def copying(self) -> bool:
        return os.path.exists(self.path("copied/held"))

    async def copying_out(self) -> tuple[Command, str]:
        """Start a worker, and a task that had its cache moved in before no copying comes to its end."""
        first = self.start()
        waits = 'touch begun; test "$RUN_ID" != 0 || until test -e go; do sleep 0.05; done'
        task_id = await self.use(self.tree("tree"), waits)
        await until(self.begun, 30, lambda: first.output)
        self.hold_copies()
        self.say_in_tasks("go")
        return first, task_id


class Removed(HeldKills):
    """A cache goes that no task has."""

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "cachesMaxMegabytes": MEGABYTES}

    async def test_it_is_forgotten_for_want_of_room(self) -> None:
        await self.assertSurvivesCollecting(f"before rename {KEPT} {GOING}")

    async def test_it_is_set_aside_for_want_of_room(self) -> None:
        await self.assertSurvivesCollecting(f"after rename {KEPT} {GOING}")

    async def test_it_is_half_removed_for_want_of_room(self) -> None:
        await self.assertSurvivesCollecting(f"after unlink {GOING}/")

    async def test_it_is_half_removed_because_somebody_asked_for_that(self) -> None:
        first = self.start()
        await self.assertCompleted(await self.use(self.tree("tree")))
        self.hold(f"after unlink {GOING}/")
        call = self.command("caches", "clear", "--config", self.path("worker.json"))
        await self.die(first, self.held)
        await call.until_ended()
        self.go_on()
        await self.assertNextIsWhole()

    async def test_the_next_worker_sweeps_what_was_forgotten_and_is_killed_as_well(self) -> None:
        first = await self.collecting(f"before rename {KEPT} {GOING}")
        self.hold(f"after unlink {KEPT}/")
        os.unlink(self.path("held"))
        await self.kill(first, "all")
        await self.die(self.start(), self.held)
        self.go_on()
        await self.assertNextIsWhole()

    async def assertSurvivesCollecting(self, step: str) -> None:
        """Kill a worker at a step of the removal of what is larger than all that may be kept."""
        await self.kill(await self.collecting(step), "all")
        self.go_on()
        await self.assertNextIsWhole()

    async def collecting(self, step: str) -> Command:
        """Start a worker that has come so far with it."""
        first = self.start()
        self.hold(step)
        large = f"head -c {MEGABYTES + 1}M /dev/urandom > cache/large"
        await self.assertCompleted(await self.use(self.tree("tree"), large))
        await until(self.held, 30, lambda: first.output)
        self.assertIn("cachesMaxMegabytes", first.output)
        return first
