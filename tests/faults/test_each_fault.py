"""Each call that belongs to a run meets each fate once: none of them costs a run, an artifact or a line of a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from tests.faults.case import ChaosCase
from tests.faults.fates import Call, Fate, Planned
from tests.faults.tasks import ChaosTask, Kind, fails, is_malformed, outlives_its_claim, prints, publishes

CALLS: Mapping[str, Kind] = {
    "createArtifact": publishes,
    "put": publishes,
    "reportCompleted": prints,
    "reportFailed": fails,
    "reportException": is_malformed,
    "reclaimTask": outlives_its_claim,
}
"""Which tasks make which calls, surely."""

# To declare an object is no call that can be made again once it has taken effect.
CALLS_ABOUT_OBJECTS: Mapping[str, Kind] = dict.fromkeys(
    ("createUpload", "put", "finishUpload", "finishArtifact"), publishes
)

EXAMPLES = {
    "put": Call("PUT", "/storage/x", 1),
    "finishUpload": Call("POST", "/api/object/v1/finish-upload/x", 1),
    "finishArtifact": Call("PUT", "/api/queue/v1/task/abcdefghijklmnopqrstuv/runs/0/artifacts/x", 1),
}
USUAL = Call("POST", "/api/x", 1)
WITHOUT_BODY = Call("POST", "/api/x")
HAVE_NO_BODY = {"reportCompleted", "reportFailed", "reclaimTask"}


def fates_of(name: str) -> Sequence[Fate]:
    """All that can befall a call."""
    example = EXAMPLES.get(name, WITHOUT_BODY if name in HAVE_NO_BODY else USUAL)
    return [fate for fate in Fate if fate is not Fate.PASSES and example.suits(fate)]


class EachFault(ChaosCase):
    timeout = 200
    calls = CALLS
    settings: ClassVar = {**ChaosCase.settings, "capacity": 20}

    async def test_at_each_call(self) -> None:
        chance = Random("each fault")
        plan: dict[tuple[str, str], Fate] = {}
        given: list[ChaosTask] = []
        for name, kind in self.calls.items():
            for fate in fates_of(name):
                given.append(task := kind(chance, str(self.journal)))
                plan[task.task_id, name] = fate
        self.proxy.decide = planned = Planned(plan)
        # Those that last begin first.
        await self.give(given[::-1])
        self.worker.start()
        runs = await self.until_resolved(given, 150)
        await self.assertAllAsTheyWereToEnd(given, runs)
        self.assertEqual(planned.left, {})
        self.assertEqual([task_id for task_id, those in runs.items() if len(those) > 1], [])
        await self.assertNothingLeft()


class EachFaultOfObjects(EachFault):
    calls = CALLS_ABOUT_OBJECTS
    settings: ClassVar = {**EachFault.settings, "createObjectArtifacts": True}
