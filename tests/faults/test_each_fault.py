"""Each call that belongs to a run meets each fate once: none of them costs a run, an artifact or a line of a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from tests.faults.case import ChaosCase
from tests.faults.fates import Call, Fate, Planned
from tests.faults.tasks import ChaosTask, Kind, fails, is_malformed, outlives_its_claim, prints, publishes

BY_CALL: Mapping[str, Kind] = {
    "createArtifact": publishes,
    "put": publishes,
    "reportCompleted": prints,
    "reportFailed": fails,
    "reportException": is_malformed,
    "reclaimTask": outlives_its_claim,
}
"""Which tasks make which calls, surely."""

EXAMPLES = {"put": Call("PUT", "/storage/x", 1)}
USUAL = Call("POST", "/api/x", 1)
WITHOUT_BODY = Call("POST", "/api/x")
HAVE_A_BODY = {"createArtifact", "put", "reportException"}


def fates_of(name: str) -> Sequence[Fate]:
    """All that can befall a call."""
    example = EXAMPLES.get(name, USUAL if name in HAVE_A_BODY else WITHOUT_BODY)
    return [fate for fate in Fate if fate is not Fate.PASSES and example.suits(fate)]


class EachFault(ChaosCase):
    timeout = 120
    settings: ClassVar = {**ChaosCase.settings, "capacity": 20}

    async def test_at_each_call(self) -> None:
        chance = Random("each fault")
        plan: dict[tuple[str, str], Fate] = {}
        given: list[ChaosTask] = []
        for name, kind in BY_CALL.items():
            for fate in fates_of(name):
                given.append(task := kind(chance, str(self.journal)))
                plan[task.task_id, name] = fate
        self.proxy.decide = planned = Planned(plan)
        # Those that last begin first.
        await self.give(given[::-1])
        self.worker.start()
        runs = await self.until_resolved(given, 90)
        await self.assertAllAsTheyWereToEnd(given, runs)
        self.assertEqual(planned.left, {})
        self.assertEqual([task_id for task_id, those in runs.items() if len(those) > 1], [])
        await self.assertNothingLeft()
