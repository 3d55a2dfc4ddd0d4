"""The judge finds what is wrong with how a task ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from twisted.trial.unittest import TestCase

from tcworker.interfaces import JSON
from tests.faults.judge import LOGS, Judge, explained
from tests.faults.tasks import ChaosTask
from tests.integration.task_client import Outcome

S3: JSON = {"storageType": "s3"}
TASK = ChaosTask("t", {}, printed=["one", "two"], artifacts={"public/a": b"a", "public/gone": None})
ARTIFACTS = {**dict.fromkeys(LOGS, S3), "public/a": S3, "public/gone": {"storageType": "error"}}
LAST: JSON = {"runId": 0, "state": "completed", "reasonResolved": "completed"}
GIVEN_AWAY: JSON = {
    **LAST,
    "state": "exception",
    "reasonResolved": "claim-expired",
    "started": "2030-01-01T00:00:10.000Z",
    "resolved": "2030-01-01T00:00:20.000Z",
}
BEGUN_AT = 1893456010.0


class FakeClient:
    """Somebody who sees one outcome, whatever they look at."""

    def __init__(self, outcome: Outcome, contents: Mapping[str, bytes]) -> None:
        self._outcome = outcome
        self._contents = contents

    async def seen(self, task_id: str, runs: Sequence[JSON]) -> Outcome:
        return self._outcome

    async def content(self, task_id: str, run_id: int, name: str) -> bytes:
        return self._contents[name]


class Judging(TestCase):
    def setUp(self) -> None:
        self.journal = Path(self.mktemp())
        self.journal.write_text("t/0\n")
        self.outcome = Outcome("t", "completed", "[x] begins\none\ntwo\n", ARTIFACTS, [LAST])
        self.contents = {"public/a": b"a"}
        self.kills: list[float] = []

    async def faults(self, *runs: JSON, task: ChaosTask = TASK, **outcome: Any) -> str:
        client = cast(Any, FakeClient(replace(self.outcome, **outcome), self.contents))
        judge = Judge(client, self.journal, explained({("t", 7)}, self.kills))
        return "; ".join(await judge.faults(task, runs or [LAST]))

    async def test_all_is_well(self) -> None:
        self.assertEqual(await self.faults(), "")

    async def test_another_end(self) -> None:
        self.assertIn("ended as failed", await self.faults(resolution="failed"))

    async def test_a_line_that_lacks_or_comes_twice(self) -> None:
        for log in ("one\n", "one\ntwo\ntwo\n", "two\none\n"):
            self.assertIn("the log has", await self.faults(log=log))

    async def test_an_artifact_that_lacks_or_is_not_whole(self) -> None:
        without = {name: artifact for name, artifact in ARTIFACTS.items() if name != "public/a"}
        self.assertIn("not published: ['public/a']", await self.faults(artifacts=without))
        self.assertIn(
            "is of kind error", await self.faults(artifacts={**ARTIFACTS, "public/a": {"storageType": "error"}})
        )
        self.contents["public/a"] = b""
        self.assertIn("public/a has 0 bytes of 1", await self.faults())

    async def test_one_that_nobody_asked_for(self) -> None:
        self.assertIn("public/more", await self.faults(artifacts={**ARTIFACTS, "public/more": S3}))

    async def test_a_run_that_began_twice(self) -> None:
        self.journal.write_text("t/0\nt/0\n")
        self.assertIn("run 0 was begun 2 times", await self.faults())

    async def test_a_run_that_was_given_away_for_no_reason(self) -> None:
        again = {**LAST, "runId": 1}
        self.assertIn("nothing explains that", await self.faults(GIVEN_AWAY, again))
        # Its claim's answer was lost.
        self.assertEqual(await self.faults({**GIVEN_AWAY, "runId": 7}, again), "")

    async def test_a_kill_explains_what_was_in_hand(self) -> None:
        again = {**LAST, "runId": 1}
        for kill, explains in ((BEGUN_AT + 5, True), (BEGUN_AT + 11, False), (BEGUN_AT - 5, False)):
            self.kills[:] = [kill]
            self.assertEqual(await self.faults(GIVEN_AWAY, again) == "", explains, kill)

    async def test_a_run_that_failed_is_explained_by_nothing(self) -> None:
        self.kills.append(BEGUN_AT + 5)
        failed = {**GIVEN_AWAY, "state": "failed", "reasonResolved": "failed"}
        self.assertIn("ended as failed/failed", await self.faults(failed, {**LAST, "runId": 1}))

    async def test_a_task_may_ask_for_another_run(self) -> None:
        asked = {**GIVEN_AWAY, "reasonResolved": "intermittent-task"}
        task = replace(TASK, runs_again=["intermittent-task"])
        self.assertEqual(await self.faults(asked, {**LAST, "runId": 1}, task=task), "")
