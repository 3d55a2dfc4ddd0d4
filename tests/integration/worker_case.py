"""Workers in processes of their own, as operators run them, against a Taskcluster in another process."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from glob import glob
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tcworker.client.http import HTTP
from tests.definitions import shell
from tests.integration.processes import ROOT, Command, taskcluster_for
from tests.integration.task_client import TaskClient
from tests.surroundings import open_folder, until

IGNORES_TERM = "trap '' TERM; touch begun; while :; do sleep 0.1; done"
"""A task that nothing but SIGKILL ends; it says in its folder that it has begun."""


class WorkerCase(TestCase):
    """Tests of whole worker processes.

    @cvar times: of the Taskcluster, in seconds.
    @ivar folder: of the test, which tasks may enter.
    """

    timeout = 90
    times: ClassVar[Mapping[str, float]] = {}

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.folder = open_folder(self)
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self) -> None:
        """Start what a test needs."""
        self.root = await taskcluster_for(self, self.path("tc"), **self.times)
        http = HTTP(reactor)
        self.addCleanup(http.close)
        self.client = TaskClient(http, self.root, "integration/worker")

    def path(self, name: str) -> str:
        """A path in the test's folder."""
        return os.path.join(self.folder, name)

    def settings(self) -> Mapping[str, Any]:
        """What a worker is started with, beside who it is."""
        return {}

    def worker(self, **more: Any) -> Command:
        """Start a worker, whose settings are in C{worker.json} of the test's folder."""
        settings = {
            **self.root,
            "provisionerId": "integration",
            "workerType": "worker",
            "workerId": "w1",
            "tasksDir": self.path("tasks"),
            "stateDir": self.path("state"),
            "requiredDiskSpaceMegabytes": 0,
            "enableMetadata": False,
            "taskUsers": False,
            **self.settings(),
            **more,
        }
        with open(os.open(self.path("worker.json"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump(settings, file)
        return self.command("worker", "--config", self.path("worker.json"))

    def command(self, *arguments: str) -> Command:
        """Start a C{tcworker}."""
        command = Command(("tcworker", *arguments), self.folder, environment={"PYTHONPATH": ROOT})
        self.addCleanup(command.kill)
        return command

    async def running(self, script: str = IGNORES_TERM, **definition: Any) -> str:
        """Create a task, wait until its command runs, and give its id."""
        task_id = await self.client.create(shell(script), **definition)
        await until(self.begun)
        return task_id

    def begun(self) -> list[str]:
        """The folders of tasks that have made a file with the name C{begun}."""
        return [os.path.dirname(path) for path in glob(self.path("tasks/*/begun"))]

    def say_in_tasks(self, name: str) -> None:
        """Make a file in the folders of tasks that have begun."""
        for folder in self.begun():
            Path(folder, name).touch()

    def notice(self, graceful: bool, seconds_left: float | None, why: str = "the machine goes") -> None:
        """Have the host give notice, if it is one of L{tests.integration.notices}."""
        with open(self.path("notice.new"), "w") as file:
            json.dump([graceful, seconds_left, why], file)
        os.rename(self.path("notice.new"), self.path("notice"))

    async def control(self, *arguments: str) -> Any:
        """Make a control call that must succeed; give its answer."""
        call = self.command("control", *arguments, "--config", self.path("worker.json"))
        self.assertEqual(await call.until_ended(), 0, call.output)
        return json.loads(call.output)
