"""A pool that was made for the reference worker, as it is: its configuration, its credentials, its command line."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from taskcluster import createTemporaryCredentials
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tcworker.client.http import HTTP
from tcworker.config_without_effect import WITHOUT_EFFECT
from tcworker.interfaces import ProcessStatus
from tests.config_names import CONFIGURATION
from tests.definitions import shell
from tests.integration.processes import Command, taskcluster_for
from tests.integration.task_case import TaskCase
from tests.integration.task_client import TaskClient
from tests.surroundings import open_folder

POOL = f"{CONFIGURATION['provisionerId']}/{CONFIGURATION['workerType']}"

SCRIPT = 'pwd; echo "location $TASKCLUSTER_WORKER_LOCATION"; echo "type $TASKCLUSTER_INSTANCE_TYPE"'


class ThePoolOfAnotherWorker(TestCase):
    timeout = 90

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        # Tasks have users of their own, who must be able to reach it.
        self.folder = Path(open_folder(self))
        self.config = self.folder / "generic-worker.config"
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self) -> None:
        self.root = await taskcluster_for(self, str(self.folder / "taskcluster"))
        http = HTTP(reactor)
        self.addCleanup(http.close)
        self.client = TaskClient(http, self.root, POOL)
        self.write_config()

    def write_config(self) -> None:
        folders = {f"{name}Dir": str(self.folder / name) for name in ("tasks", "caches", "downloads")}
        here = {"rootURL": self.root["rootURL"], **folders}
        self.config.write_text(json.dumps({**CONFIGURATION, **here, **self.credentials()}, indent=2))
        self.config.chmod(0o644)

    def credentials(self) -> Any:
        """What worker-manager gives a worker: temporary, and good for nothing but its work."""
        who = f"{CONFIGURATION['workerGroup']}/{CONFIGURATION['workerId']}"
        now = datetime.now(UTC)
        scopes = [f"queue:claim-work:{POOL}", f"queue:worker-id:{who}"]
        begin, end = now - timedelta(minutes=1), now + timedelta(hours=1)
        made = createTemporaryCredentials(self.root["clientId"], self.root["accessToken"], begin, end, scopes)
        return {**made, "accessToken": made["accessToken"].decode()}

    def start(self) -> Command:
        pid = str(self.folder / "twistd.pid")
        words = ("twistd", "-n", "--pidfile", pid, "tcworker", "--config", self.config.name)
        command = Command(words, str(self.folder))
        self.addCleanup(command.kill)
        return command

    async def test_it_runs_a_task_and_says_what_has_no_effect(self) -> None:
        worker, task_id = self.start(), await self.client.create(shell(SCRIPT))
        outcome = await self.client.outcome(task_id)
        self.assertEqual(await worker.until_ended(), ProcessStatus.DONE)
        for name, unused in WITHOUT_EFFECT.items():
            self.assertIn(f"] {name} has no effect here, because {unused.reason}\n", worker.output)
        self.assertNotRegex(worker.output, r"Z (error|critical) \[")
        self.assertEqual(outcome.resolution, "completed", outcome.log)
        self.assert_effects(outcome.log)
        self.assert_private(worker)
        await self.assert_count_is_kept()

    def assert_effects(self, log: str) -> None:
        """What settings do to a task."""
        self.assertIn(f"Worker Type ({POOL}) settings:", log)
        self.assertIn('"machine-setup": {', log)
        self.assertIn(f"\n{self.folder}/tasks/", log)
        self.assertIn(f"\nlocation {CONFIGURATION['workerLocation']}\n", log)
        self.assertIn("\ntype m5.large\n", log)

    def assert_private(self, worker: Command) -> None:
        """The file of credentials, where tasks are strangers."""
        private = stat.S_IMODE(self.config.stat().st_mode) == 0o600
        self.assertEqual(private, os.geteuid() == 0)
        self.assertIn("which holds secrets" if private else "chmod 600 it", worker.output)

    async def assert_count_is_kept(self) -> None:
        """The next worker has nothing left to do."""
        later, worker = await self.client.create(shell(SCRIPT)), self.start()
        self.assertEqual(await worker.until_ended(), ProcessStatus.DONE)
        self.assertEqual(await self.client.state(later), "pending")


class ObjectArtifacts(TaskCase):
    """C{createObjectArtifacts}."""

    settings: ClassVar[Any] = {"createObjectArtifacts": True}

    async def test_they_are_of_the_object_service(self) -> None:
        artifact = {"type": "file", "path": "made", "name": "public/made"}
        outcome = await self.run_task(shell("echo made > made", artifacts=[artifact]))
        self.assertEqual(outcome.artifacts["public/made"]["storageType"], "object")
        self.assertIn("echo made", outcome.log)
