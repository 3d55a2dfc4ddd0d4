"""Workers that must go at any moment of a task's uploads: each artifact is whole, or it is said why it is not.

Two rounds, forty in C{make soak}.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from twisted.internet import reactor

from tcworker.waiting import pause
from tests.chances import chances
from tests.definitions import shell
from tests.integration.task_client import Outcome
from tests.integration.test_short_of_time import SlowCase
from tests.surroundings import until

FOLDER = {"type": "directory", "path": "out", "name": "public/out", "contentEncoding": "identity"}

MOST_IN_HAND = 20
"""Files that may be in the middle of their uploads when the time is over: those begun before the notice, and after."""


class Going(SlowCase):
    """A worker is told to go while its task runs, or uploads."""

    timeout = 900

    async def test_each_artifact_is_whole_or_has_an_error_in_its_place(self) -> None:
        for seed, source in enumerate(chances(2, 40)):
            await self.one(f"round {seed}", source)

    async def one(self, round_: str, source: Random) -> None:
        sizes = {f"f{number}": int(10 ** source.uniform(0, 5.5)) for number in range(source.randrange(5, 90))}
        sizes["large"] = source.choice([1, 5_000_000, 60_000_000])
        self.slow = {"PUT .*/out/": source.choice([0.0, 0.3, 1.5])}
        worker = self.worker()
        task_id = await self.client.create(shell(self.script(sizes, source), artifacts=[FOLDER]))
        await until(self.begun)
        await pause(reactor, source.uniform(0, 2))
        seconds = source.uniform(2.5, 7)
        self.notice(False, seconds)
        await self.gone(worker, seconds)
        outcome = await self.outcome(task_id)
        self.assertIn(outcome.resolution, ("completed", "exception/worker-shutdown"), round_)
        self.assertIn("begun to work", outcome.log, round_)
        whole = await self.whole(outcome, sizes)
        in_hand = 0 if outcome.resolution == "completed" else MOST_IN_HAND
        self.assertLessEqual(len(set(sizes) - whole), in_hand, round_)

    def script(self, sizes: Mapping[str, int], source: Random) -> str:
        """Leave files of these sizes, and perhaps work on."""
        lines = ["mkdir out", *(f"head -c {size} /dev/zero > out/{name}" for name, size in sizes.items())]
        return "; ".join([*lines, "echo begun to work", "touch begun", source.choice(["true", "sleep 60"])])

    async def whole(self, outcome: Outcome, sizes: Mapping[str, int]) -> set[str]:
        """The files that need no further word: they are as long as they were, or an error is in their place."""
        found = set()
        for name, size in sizes.items():
            artifact = outcome.artifacts.get(f"public/out/{name}")
            self.assertIsNotNone(artifact, f"{name} is not listed")
            if artifact["storageType"] == "error" or await self.length(outcome, name) == size:  # type: ignore[index]
                found.add(name)
        return found

    async def length(self, outcome: Outcome, name: str) -> int | None:
        """How long a file's content is, C{None} if there is none."""
        pieces: list[bytes] = []
        answer = await self.client.download(outcome.task_id, 0, f"public/out/{name}", pieces.append)
        return sum(map(len, pieces)) if answer.status == 200 else None
