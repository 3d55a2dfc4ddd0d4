"""Tasks through a whole worker: the queue's answer, the log that people read, and what the task has published."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from glob import glob
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tcworker.assemble import new_worker
from tcworker.client.http import HTTP
from tcworker.config import Source
from tcworker.deployment import Deployment
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON, IFeature
from tcworker.worker import Worker
from tests.definitions import shell
from tests.integration.meddling import Meddling
from tests.integration.task_client import Outcome, TaskClient
from tests.surroundings import open_folder, until
from tests.taskcluster_server import settings_of_root

POOL = "proj-tests/native"

FILE = {"type": "file", "path": "out.txt", "name": "public/out.txt"}
"""An artifact of a payload."""

CLOSE_SECONDS = 5.0


@dataclass
class Site(Deployment):
    """A Taskcluster and a worker of it in one process.

    @ivar pulse: the URL of a broker that the Taskcluster tells of everything.
    @ivar client: creates tasks for the worker, once both have started.
    """

    folder: str
    settings: Mapping[str, Any]
    times: Times
    features: Sequence[IFeature] = ()
    patience: float = 45
    pulse: str | None = None
    client: TaskClient = field(init=False)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        settings = TaskclusterSettings(times=self.times, in_memory=True, pulse=self.pulse)
        self.taskcluster = Taskcluster(reactor, os.path.join(self.folder, "taskcluster"), settings)
        super().__init__(self.taskcluster, CLOSE_SECONDS, "the test is over")

    @property
    def tasks_dir(self) -> str:
        """The worker's setting."""
        return str(self.settings.get("tasksDir", os.path.join(self.folder, "tasks")))

    @property
    def state_dir(self) -> str:
        """The worker's setting."""
        return str(self.settings.get("stateDir", os.path.join(self.folder, "state")))

    async def start(self) -> None:
        """Start both, and wait until the worker claims."""
        await self.start_taskcluster()
        http = HTTP(reactor)
        self.at_end(http.close)
        self.client = TaskClient(http, settings_of_root(self.taskcluster), POOL, self.patience)
        self.worker = new_worker(reactor, [Source("test", self._settings())], self.features)
        self.run_worker(self.worker)
        await self.worker.when_booted()

    def _settings(self) -> Mapping[str, Any]:
        provisioner, _, worker_type = POOL.partition("/")
        return {
            **settings_of_root(self.taskcluster),
            "provisionerId": provisioner,
            "workerType": worker_type,
            "workerGroup": "tests",
            "workerId": "w1",
            "tasksDir": self.tasks_dir,
            "stateDir": self.state_dir,
            "requiredDiskSpaceMegabytes": 0,
            # Where somebody runs a test is not the place for a file of the worker.
            "enableMetadata": False,
            **self.settings,
        }


class TaskCase(Meddling):
    """Tests that give a worker tasks, each with a worker of its own.

    @cvar settings: of the worker.
    @cvar times: of the queue.
    @cvar features: of the worker, beside its own.
    """

    timeout = 60
    settings: ClassVar[Mapping[str, Any]] = {}
    times: ClassVar[Times] = Times(dependencies=0.02, deadline_delay=0.1)
    features: ClassVar[Sequence[IFeature]] = ()
    site: Site
    client: TaskClient

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self) -> None:
        """Start what a test needs."""
        settings = {**self.settings, **self.own_settings()}
        self.site = Site(open_folder(self), settings, self.times, self.features, self.timeout - 10, self.pulse())
        self.addCleanup(self.site.stop)
        await self.site.start()
        self.client = self.site.client

    def own_settings(self) -> Mapping[str, Any]:
        """Further settings of the worker, made for this test."""
        return {}

    def pulse(self) -> str | None:
        """The URL of a broker that the Taskcluster is to tell of everything."""
        return None

    async def run_task(self, payload: JSON, **definition: Any) -> Outcome:
        """Give the worker a task, and wait for its end."""
        return await self.client.outcome(await self.client.create(payload, **definition))

    async def until_begun(self) -> None:
        """Wait until a task has made a file with the name C{begun} in its folder."""
        await until(lambda: glob(f"{self.site.tasks_dir}/*/begun"), seconds=self.site.patience)

    def assertResolved(self, outcome: Outcome, resolution: str, *lines: str) -> None:
        """Fail unless a run ended so, and its log has these lines, in this order.

        @param lines: what lines contain.
        """
        self.assertEqual(outcome.resolution, resolution, outcome.log)
        rest = iter(outcome.log.splitlines())
        for line in lines:
            self.assertTrue(any(line in each for each in rest), f"no line with {line!r}:\n{outcome.log}")

    def assertMalformed(self, outcome: Outcome, *lines: str) -> None:
        """Fail unless a payload was refused before anything ran, with these lines that begin as errors do.

        @param lines: what lines contain.
        """
        self.assertResolved(outcome, "exception/malformed-payload")
        for line in lines:
            self.assertTrue(any(line in error for error in outcome.errors), f"no error {line!r}:\n{outcome.log}")
        self.assertNotIn("Executing command", outcome.log)

    async def assertWorks(self) -> None:
        """Fail unless the worker does the next task as if nothing had happened."""
        outcome = await self.run_task(shell("echo still at work"))
        self.assertEqual((outcome.resolution, "still at work" in outcome.lines), ("completed", True), outcome.log)
