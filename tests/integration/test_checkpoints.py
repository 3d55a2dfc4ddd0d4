"""What is to be read of a task's log while the task runs, and in which order that and the whole log come."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from glob import glob
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet import reactor

from tcworker.interfaces import JSON, ITaskContext
from tcworker.task import checkpoints
from tcworker.waiting import pause
from tests.definitions import shell
from tests.integration.task_case import TaskCase
from tests.surroundings import until

LIVE, CHECKPOINT = "public/logs/live.log", "public/logs/checkpoint.log"
BACKING = "public/logs/live_backing.log"

RUNS = "echo first; touch begun; while ! [ -e go ]; do sleep 0.05; done; echo last"
"""A task that ends when a file with the name C{go} is in its folder."""


class CheckpointCase(TaskCase):
    """A worker that does not wait for minutes.

    @cvar first: when the first checkpoint is due.
    """

    first: ClassVar[float] = 0.3

    async def prepare(self) -> None:
        self.patch(checkpoints, "FIRST", self.first)
        await super().prepare()

    async def begin(self, **payload: Any) -> str:
        """Start a task, and give its id once it runs."""
        task_id = await self.client.create(shell(RUNS, **payload))
        await self.until_begun()
        return task_id

    def let_go(self) -> None:
        """Let the task end."""
        (begun,) = glob(f"{self.site.tasks_dir}/*/begun")
        Path(begun).with_name("go").touch()

    async def listed(self, task_id: str) -> Mapping[str, JSON]:
        """What is listed of the artifacts of a task's first run."""
        artifacts = (await self.client.queue.list_artifacts(task_id, 0))["artifacts"]
        return {artifact["name"]: artifact for artifact in artifacts}

    async def content(self, task_id: str, name: str) -> str:
        """The content of an artifact, as a browser has it that follows all redirections; empty if there is none."""
        pieces: list[bytes] = []
        answer = await self.client.download(task_id, 0, name, pieces.append)
        content = b"".join(pieces) if answer.status == 200 else b""
        return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode()

    async def until_shown(self, task_id: str, name: str, text: str) -> str:
        """Wait until an artifact has some text, and give all of it."""
        end = reactor.seconds() + self.site.patience
        while text not in (content := await self.content(task_id, name)):
            self.assertLess(reactor.seconds(), end, f"{name} shows no {text!r}: {content}")
            await pause(reactor, 0.05)
        return content


class WhileItRuns(CheckpointCase):
    """A task whose end nobody waits for."""

    async def test_what_it_has_printed_is_there_to_read(self) -> None:
        task_id = await self.begin()
        shown = await self.until_shown(task_id, LIVE, "first")
        self.assertNotIn("\nlast", shown)
        self.assertIn("the task was still running", shown.splitlines()[-1])
        self.let_go()
        outcome = await self.client.outcome(task_id)
        self.assertResolved(outcome, "completed", "first", "last")
        self.assertNotIn("still running", outcome.log)
        self.assertEqual(await self.content(task_id, LIVE), outcome.log)

    async def test_it_is_beside_the_log_and_has_what_that_has(self) -> None:
        task_id = await self.begin(logs={"live": "public/a.log", "backing": "public/b/c.log"})
        await self.until_shown(task_id, "public/a.log", "first")
        self.let_go()
        await self.client.until_resolved(task_id)
        listed = await self.listed(task_id)
        checkpoint, backing = listed["public/b/checkpoint.log"], listed["public/b/c.log"]
        for key in ("storageType", "contentType", "expires"):
            self.assertEqual(checkpoint[key], backing[key])

    async def test_a_task_that_publishes_its_whole_folder_cannot_take_its_place(self) -> None:
        everything = [{"type": "directory", "path": "public", "name": "public"}]
        script = f"mkdir -p public/logs; echo mine > public/logs/checkpoint.log; {RUNS}"
        task_id = await self.client.create(shell(script, artifacts=everything))
        await self.until_begun()
        await self.until_shown(task_id, LIVE, "first")
        self.let_go()
        await self.client.until_resolved(task_id)
        self.assertIn("first", await self.content(task_id, CHECKPOINT))


class LateSecrets(CheckpointCase):
    """A program that learns of a secret when it has already been printed, and published."""

    async def test_it_is_taken_out_of_what_is_to_be_read(self) -> None:
        runs: list[ITaskContext] = []
        self.site.worker.watch_runs(runs.append)
        task_id = await self.client.create(shell(f"echo the secret is hunter2; {RUNS}"))
        await self.until_shown(task_id, LIVE, "the secret is hunter2")
        runs[0].mask("hunter2")
        await self.until_shown(task_id, LIVE, "the secret is [masked]")
        self.let_go()
        outcome = await self.client.outcome(task_id)
        self.assertNotIn("hunter2", outcome.log)


class AsObjects(CheckpointCase):
    """A worker whose artifacts are objects, which nobody can replace."""

    settings: ClassVar[Mapping[str, Any]] = {"createObjectArtifacts": True}
    first: ClassVar[float] = 0.2

    async def test_checkpoints_are_none(self) -> None:
        stored = self.watch("PUT", "checkpoint.log")
        task_id = await self.begin()
        await self.until_shown(task_id, LIVE, "first")
        await until(lambda: len(stored) >= 3)
        self.let_go()
        outcome = await self.client.outcome(task_id)
        self.assertResolved(outcome, "completed", "first", "last")
        kinds = {name: artifact["storageType"] for name, artifact in outcome.artifacts.items()}
        self.assertEqual(kinds, {LIVE: "link", CHECKPOINT: "s3", BACKING: "object"})


class LatePuts(CheckpointCase):
    """A storage that takes its time for checkpoints."""

    async def test_one_that_is_answered_after_the_final_one_is_whole_and_changes_nothing(self) -> None:
        held = self.hold_back("PUT", "checkpoint.log")
        task_id = await self.begin()
        await until(lambda: held)
        self.let_go()
        outcome = await self.client.outcome(task_id)
        # It held up neither the log nor the report.
        self.assertResolved(outcome, "completed", "first", "last")
        self.assertEqual(await self.content(task_id, CHECKPOINT), "")
        held[0]()
        shown = await self.until_shown(task_id, CHECKPOINT, "the task was still running")
        self.assertTrue(outcome.log.startswith(shown.rpartition("[taskcluster ")[0]), shown)
        self.assertEqual(await self.content(task_id, LIVE), outcome.log)
        self.assertEqual(await self.content(task_id, BACKING), outcome.log)

    async def test_where_the_first_is_never_answered_the_whole_log_is_in_its_place(self) -> None:
        self.patch(checkpoints, "CLOSE_SECONDS", 2)
        held = self.hold_back("PUT", "checkpoint.log")
        task_id = await self.begin()
        await until(lambda: held)
        self.let_go()
        outcome = await self.client.outcome(task_id)
        shown = await self.until_shown(task_id, CHECKPOINT, "last")
        self.assertEqual(shown, outcome.log)

    async def test_a_storage_that_takes_none_costs_the_task_nothing(self) -> None:
        refused = self.refuse("PUT", "checkpoint.log", 403)
        task_id = await self.begin()
        await until(lambda: refused)
        self.let_go()
        self.assertResolved(await self.client.outcome(task_id), "completed", "first", "last")

    async def test_nor_does_a_queue_that_takes_none(self) -> None:
        refused = self.refuse("POST", "checkpoint.log", 500)
        task_id = await self.begin()
        await until(lambda: refused)
        self.let_go()
        outcome = await self.client.outcome(task_id)
        self.assertResolved(outcome, "completed", "first", "last")
        self.assertEqual(set(outcome.artifacts), {LIVE, BACKING})
