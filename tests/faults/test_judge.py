"""The judge finds what is wrong with how a task ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from twisted.trial.unittest import TestCase

from tcworker.interfaces import JSON
from tests.faults.judge import LOGS, VERDICT, Judge, explained, said_to_lack
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
AGAIN: JSON = {**LAST, "runId": 1}
BEGUN_AT = 1893456010.0

DIED: JSON = {"cause": "worker-died", "whose": "worker", "message": "the worker died while it had this task"}
EXITED: JSON = {"cause": "exit-status", "whose": "task", "message": "command 0 exited with status 3"}


class FakeClient:
    """Somebody who sees the same whatever they look at, but for runs of which they are told."""

    def __init__(self, outcome: Outcome, before: Outcome, contents: Mapping[str, bytes]) -> None:
        self._outcome = outcome
        self._before = before
        self._contents = contents

    async def seen(self, task_id: str, runs: Sequence[JSON], run_id: int) -> Outcome:
        if run_id == len(runs) - 1:
            return self._outcome
        run = runs[run_id]
        return replace(self._before, resolution=f"{run['state']}/{run['reasonResolved']}")

    async def content(self, task_id: str, run_id: int, name: str) -> bytes:
        return self._contents[name]


class JudgingCase(TestCase):
    """A task with one run that went well, and perhaps one before it that was given away."""

    def setUp(self) -> None:
        self.journal = Path(self.mktemp())
        self.journal.write_text("t/0\n")
        self.outcome = Outcome("t", "completed", "[x] begins\none\ntwo\n", ARTIFACTS, [LAST])
        names = dict.fromkeys({*LOGS, VERDICT}, S3)
        self.before = replace(self.outcome, log="[x] begins\none\n", artifacts=names, verdict=DIED)
        self.contents = {"public/a": b"a"}
        self.kills: list[float] = []
        self.said: Mapping[str, Collection[str]] = {}

    async def faults(self, *runs: JSON, task: ChaosTask = TASK, **outcome: Any) -> str:
        client = cast(Any, FakeClient(replace(self.outcome, **outcome), self.before, self.contents))
        self.judge = Judge(client, self.journal, explained({("t", 7)}, self.kills), self.said)
        return "; ".join(await self.judge.faults(task, runs or [LAST]))

    async def of_given_away(self, **before: Any) -> str:
        """What is wrong when there is this of a run whose worker was killed."""
        self.kills[:] = [BEGUN_AT + 5]
        self.before = replace(self.before, **before)
        return await self.faults(GIVEN_AWAY, AGAIN)


class Judging(JudgingCase):
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
        self.assertIn("it was begun 2 times", await self.faults())

    async def test_a_run_that_was_given_away_for_no_reason(self) -> None:
        self.assertIn("nothing explains that", await self.faults(GIVEN_AWAY, AGAIN))
        # Its claim's answer was lost.
        self.assertEqual(await self.faults({**GIVEN_AWAY, "runId": 7}, AGAIN), "")

    async def test_a_kill_explains_what_was_in_hand(self) -> None:
        for kill, explains in ((BEGUN_AT + 5, True), (BEGUN_AT + 11, False), (BEGUN_AT - 5, False)):
            self.kills[:] = [kill]
            self.assertEqual(await self.faults(GIVEN_AWAY, AGAIN) == "", explains, kill)

    async def test_a_run_that_failed_is_explained_by_nothing(self) -> None:
        self.kills.append(BEGUN_AT + 5)
        failed = {**GIVEN_AWAY, "state": "failed", "reasonResolved": "failed"}
        self.assertIn("ended as failed/failed", await self.faults(failed, AGAIN))

    async def test_a_task_may_ask_for_another_run(self) -> None:
        asked = {**GIVEN_AWAY, "reasonResolved": "intermittent-task"}
        task = replace(TASK, runs_again=["intermittent-task"], cause="exit-status")
        self.before = replace(self.before, verdict=EXITED)
        self.assertEqual(await self.faults(asked, AGAIN, task=task), "")
        self.before = replace(self.before, verdict=None)
        self.assertIn("the verdict of one that is", await self.faults(asked, AGAIN, task=task))

    async def test_what_cannot_be_had_though_it_is_listed(self) -> None:
        async def seen(*_: object) -> Outcome:
            raise AssertionError("404")

        self.patch(FakeClient, "seen", seen)
        self.assertIn("run 0 lists what cannot be had: 404", await self.faults())

    async def test_a_verdict_of_another_cause_or_of_none(self) -> None:
        task = replace(TASK, resolution="failed", cause="exit-status")
        for verdict, wrong in ((EXITED, False), (None, True), ({**EXITED, "cause": "signal"}, True), (DIED, False)):
            found = await self.faults(task=task, resolution="failed", verdict=verdict)
            self.assertEqual("verdict" in found, wrong, (verdict, found))

    async def test_a_verdict_of_a_run_that_was_completed(self) -> None:
        self.assertIn("the verdict of one that is completed", await self.faults(verdict=EXITED))


class JudgingWhatWasGivenAway(JudgingCase):
    async def test_with_what_it_had_printed_all_is_well(self) -> None:
        self.assertEqual(await self.of_given_away(), "")
        self.assertEqual(self.judge.given_away, {"with log and verdict": 1})

    async def test_without_a_log_or_a_verdict(self) -> None:
        everything = self.before.artifacts
        for lacks, what in ((VERDICT, "lacks its verdict"), ("public/logs/live_backing.log", "lacks its log")):
            some = {name: artifact for name, artifact in everything.items() if name != lacks}
            self.assertIn(what, await self.of_given_away(artifacts=some))

    async def test_it_is_said_why_there_is_none(self) -> None:
        lines = "\n".join(
            f"2030 warn [x] [{'t' * 22}/0] its {what}: a fault"
            for what in ("log is not published", "verdict was not published")
        )
        self.said = {"t/0": said_to_lack([lines])[f"{'t' * 22}/0"]}
        self.assertEqual(await self.of_given_away(artifacts={}), "")
        self.assertEqual(self.judge.given_away, {"with a reason for having none": 1})
        # That explains no more than it says.
        self.said = {"t/0": {"verdict"}}
        self.assertIn("lacks its log and verdict", await self.of_given_away(artifacts={}))

    async def test_before_it_was_begun_there_is_nothing(self) -> None:
        self.journal.write_text("t/1\n")
        self.assertEqual(await self.of_given_away(artifacts={}), "")
        self.assertEqual(self.judge.given_away, {"before they were begun": 1})
        self.assertIn("lacks its log", await self.of_given_away(artifacts={VERDICT: S3}))

    async def test_a_log_that_is_not_its_own(self) -> None:
        for log in ("two\n", "one\none\n"):
            self.assertIn("the log is none of the task's", await self.of_given_away(log=log))

    async def test_the_task_is_not_to_blame(self) -> None:
        self.assertIn("blames the task", await self.of_given_away(verdict=EXITED))
