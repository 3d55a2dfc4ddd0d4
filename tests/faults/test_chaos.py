"""Tasks while requests and answers get lost, and while the worker is killed again and again.

Short with one seed in C{make test}. C{make soak} runs it whole with another seed each time, which is printed, also with
what it fails with; C{TCWORKER_SEED} repeats it: the same requests meet the same fates then, when that is is up to the
machine.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.internet import reactor

from tests.chances import SOAKING
from tests.faults.case import ChaosCase
from tests.faults.tasks import tasks
from tests.faults.workers import Killer

# The usual one lets fewer claims fail than most: each costs a pause of five seconds.
SEED = os.environ.get("TCWORKER_SEED") or (str(random.randrange(1 << 32)) if SOAKING else "24")


MOST_BETWEEN_KILLS = 20.0
"""Seconds, on average, where a worker is killed every few; some live for half a minute."""


class ChaoticLife(ChaosCase):
    """Many tasks while something goes wrong with a share of the requests, and the worker is killed now and then."""

    timeout = 2400 if SOAKING else 400
    between_kills: ClassVar[Mapping[str, Any]] = {"calls": (100, 180)}

    async def chaos(self, number: int, share: float, kills: float = 0) -> float:
        """Let so many tasks run; gives the seconds that took. C{AssertionError}s say the seed."""
        seed = f"{SEED}, {share:g}, {kills}"
        given = tasks(seed, number, str(self.journal), long=max(1, number // 100))
        self.let_chances_decide(seed, share)
        killer = Killer(self.worker, seed, kills, **self.between_kills)
        self.addCleanup(killer.stop)
        self.proxy.seen = killer.saw
        await self.give(given)
        begun = reactor.seconds()
        self.worker.start()
        try:
            runs = await self.until_resolved(given, self.timeout - 100)
            killer.stop()
            seconds = reactor.seconds() - begun
            print(f"seed {SEED}, {share:.0%} faults: {self.figures(runs, seconds)}", flush=True)
            await self.until_settled()
            await self.assertAllAsTheyWereToEnd(given, runs)
            await self.assertNothingLeft()
        except AssertionError as error:
            # Hours may pass until trial says it, and side by side it shows nothing of what is printed.
            print(error, flush=True)
            raise AssertionError(f"with TCWORKER_SEED={SEED}: {error}") from error
        return seconds


class Chaos(ChaoticLife):
    async def test_15_of_100_and_kills(self) -> None:
        await self.chaos(200, 0.15, 10)
        self.assertEqual(len(self.worker.kills), 10)


if SOAKING:

    class Soak(ChaoticLife):
        """A thousand tasks each time."""

        settings: ClassVar = {**ChaoticLife.settings, "capacity": 32}

        async def test_no_faults(self) -> None:
            await self.chaos(1000, 0)

        async def test_5_of_100(self) -> None:
            await self.chaos(1000, 0.05)

        async def test_15_of_100(self) -> None:
            await self.chaos(1000, 0.15)

        async def test_30_of_100(self) -> None:
            await self.chaos(1000, 0.3)

    class SoakWithKills(ChaoticLife):
        """The worker is killed every few seconds besides, for as long as there are tasks."""

        settings: ClassVar = {**ChaoticLife.settings, "capacity": 12}
        between_kills: ClassVar = {"seconds": (4, 10)}

        async def test_no_faults(self) -> None:
            await self.killed(0)

        async def test_5_of_100(self) -> None:
            await self.killed(0.05)

        async def test_15_of_100(self) -> None:
            await self.killed(0.15)

        async def test_30_of_100(self) -> None:
            await self.killed(0.3)

        async def killed(self, share: float) -> None:
            seconds = await self.chaos(1000, share, math.inf)
            # How many there are depends on how fast the machine is.
            self.assertGreater(len(self.worker.kills), seconds / MOST_BETWEEN_KILLS, f"with TCWORKER_SEED={SEED}")
