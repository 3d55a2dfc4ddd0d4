"""C{kill -9} of a worker at each step of a cache's life: the next one uses what is whole, and keeps nothing else."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from glob import glob
from random import Random

from twisted.internet import reactor

from tcworker.waiting import pause
from tests.chances import SOAKING, chances
from tests.integration.bad_server import hang
from tests.integration.cache_kills import FILES, FIRST_NEVER_ENDS, CacheKills
from tests.surroundings import until

SOAK_SECONDS = 60


class AtEachStep(CacheKills):
    """Of what a task mounts, from the question what to purge to what is removed in the end."""

    async def test_it_asks_what_to_purge(self) -> None:
        await self.assertSurvivesCall("GET /api/purge-cache/")

    async def test_a_download_is_on_its_way(self) -> None:
        await self.assertSurvives(lambda: self.server.gets("/tree"), hanging=True)

    async def test_an_archive_is_being_extracted(self) -> None:
        await self.assertSurvives(lambda: len(self.extracted()) > 2, hanging=True)

    async def test_a_new_one_is_being_filled(self) -> None:
        first = self.start()
        filling = self.tree("filling")
        self.hang("filling")
        task_id = await self.use(self.tree("tree"), "test -e cache/sums", **filling)
        # The other mount is an archive as well, and may be there already.
        await self.die(first, lambda: len(self.extracted()) > FILES + 2)
        self.tree("filling")
        await self.assertNextIsWhole(task_id)
        await self.assertCut(task_id)

    async def test_a_task_has_a_new_one(self) -> None:
        await self.assertSurvives(self.begun)

    async def test_a_task_has_one_that_others_had(self) -> None:
        first = self.start()
        tree = self.tree("tree")
        await self.assertCompleted(await self.use(tree))
        task_id = await self.use(tree, f"touch begun-again; {FIRST_NEVER_ENDS}")
        await self.die(first, lambda: glob(self.path("tasks/*/begun-again")))
        await self.assertNextIsWhole(task_id)
        await self.assertCut(task_id)

    async def test_what_lies_in_it_is_published(self) -> None:
        await self.assertSurvivesCall("PUT /storage/")

    async def test_its_task_is_reported(self) -> None:
        await self.assertSurvivesCall("/completed")

    async def assertSurvives(self, at: Callable[[], object], hanging: bool = False) -> None:
        """Kill a worker as soon as something is so, while a task has its mounts, or waits for them.

        @param hanging: whether the content of one does not come to its end before that.
        """
        first, tree = self.start(), self.tree("tree")
        if hanging:
            self.hang("tree")
        task_id = await self.use(tree, FIRST_NEVER_ENDS)
        await self.die(first, at)
        self.tree("tree")
        await self.assertNextIsWhole(task_id)
        await self.assertCut(task_id)

    def hang(self, name: str) -> None:
        """Let nobody have more than the beginning of a tree."""
        self.server.serve(f"/{name}", hang(self.packed[: len(self.packed) // 2], len(self.packed)))

    async def assertSurvivesCall(self, call: str) -> None:
        """Kill a worker when it makes a call."""
        first, heard = self.start(), []

        def kill(made: str) -> None:
            if call in made and not heard:
                heard.append(made)
                first.signal(signal.SIGKILL)

        self.calls.append(kill)
        task_id = await self.use(self.tree("tree"))
        await first.until_ended()
        await self.assertNextIsWhole(task_id)

    def extracted(self) -> list[str]:
        """Files of trees."""
        return glob(self.path("state/caches/cache-*/[0-9]*"))


class AtAnyMoment(CacheKills):
    """Killed by chance, from the first moment of its boot on."""

    timeout = 900

    async def test_the_next_one_uses_only_what_is_whole(self) -> None:
        tasks: list[str] = []
        began = reactor.seconds()
        for number, chance in enumerate(chances(10, 1000)):
            if SOAKING and reactor.seconds() - began > SOAK_SECONDS:
                break
            tree = self.tree(f"tree-{number // 3}", chance.choice([0, 0.3, 1.0]))
            tasks += [await self.use(tree, f"sleep {chance.uniform(0, 0.3)}") for _ in range(2)]
            await self.live_and_die(chance)
            self.assertEqual(self.impossible(), [], f"seed {number}")
        await self.assertNextIsWhole(*tasks)

    async def live_and_die(self, chance: Random) -> None:
        worker = self.start()
        await until(lambda: self.claimed, 30, lambda: worker.output)
        await pause(reactor, chance.choice([0.05, 0.5, 1.5]) * chance.random())
        await self.kill(worker, chance.choice(["worker", "both", "all"]))

    def impossible(self) -> list[str]:
        """What is remembered as whole and free, but is not there."""
        return [
            f"{row['name']} is not there"
            for row in self.rows()
            if row["run"] is None and not row["purged"] and json.loads(row["details"])["path"] not in self.folders()
        ]
