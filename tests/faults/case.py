"""A Taskcluster, a proxy that does harm before it, and a worker that may be killed."""

from __future__ import annotations

import os
import pwd
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tcworker.client.http import HTTP
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON
from tcworker.testing.engines.traces import processes_with
from tcworker.waiting import pause
from tests.definitions import definition
from tests.faults.fates import Chances, Fate
from tests.faults.judge import Judge, explained, said_to_lack
from tests.faults.proxy import ChaosProxy
from tests.faults.tasks import ChaosTask
from tests.faults.workers import MortalWorker
from tests.integration.task_client import RESOLVED, TaskClient
from tests.surroundings import open_folder, until
from tests.taskcluster_server import settings_of_root

POOL = "proj-tests/chaos"

RETRIES = 40

SETTLED_WITHIN = 60.0
"""Seconds from the end of the last task: for reports and logs that meet faults, too."""


def left_in(folder: str) -> Sequence[str]:
    """What a worker has left of its tasks: folders, users, processes, mounts, and runs in its memory."""
    tasks_dir, state_dir = (os.path.join(folder, name) for name in ("tasks", "state"))
    return [
        *os.listdir(tasks_dir),
        *os.listdir(os.path.join(state_dir, "runs")),
        *(user.pw_name for user in pwd.getpwall() if user.pw_dir.startswith(tasks_dir)),
        *processes_with(folder),
        *(line for line in Path("/proc/mounts").read_text().splitlines() if tasks_dir in line),
        *remembered_in(folder),
    ]


def remembered_in(folder: str) -> Sequence[str]:
    """The runs in a worker's memory: in its hands, or left to it by one that was killed."""
    with closing(sqlite3.connect(os.path.join(folder, "state", "state.db"))) as database:
        return list(map(str, database.execute("SELECT task_id, run_id, state, reason FROM runs")))


class Beside:
    """A reactor that connects to the server where somebody asks for its proxy."""

    def __init__(self, proxy: ChaosProxy) -> None:
        self._proxy = proxy

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def connectTCP(self, host: str, port: int, *more: Any, **options: Any) -> Any:
        """See C{IReactorTCP}."""
        meant = self._proxy.port if self._proxy.url.endswith(f":{port}") else port
        return reactor.connectTCP(host, meant, *more, **options)


class ChaosCase(TestCase):
    """Tests that let tasks run while something goes wrong all the time.

    @cvar settings: of the worker. Its tasks write to a journal beside their folders, in /tmp; none of them is to blame
        for being in hand when it is killed.
    """

    timeout = 300
    times: ClassVar[Times] = Times(claim=15, poll=3, dependencies=0.1)
    settings: ClassVar[Mapping[str, JSON]] = {"capacity": 16, "privateTmp": False, "crashPauseSecs": 0}

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        self.folder = open_folder(self)
        self.journal = Path(self.folder, "journal")
        self.journal.touch()
        # Users of tasks write to it.
        self.journal.chmod(0o666)
        self.proxy = ChaosProxy(lambda call: Fate.PASSES)
        self.addCleanup(self.proxy.stop)
        settings = TaskclusterSettings(times=self.times, in_memory=True, root_url=self.proxy.url)
        self.taskcluster = Taskcluster(reactor, os.path.join(self.folder, "taskcluster"), settings)
        self.addCleanup(self.taskcluster.stopService)
        self.taskcluster.startService()
        await self.taskcluster.when_listening()
        self.proxy.port = self.taskcluster.port
        http = HTTP(Beside(self.proxy))
        self.addCleanup(http.close)
        self.client = TaskClient(http, settings_of_root(self.taskcluster), POOL)
        self.worker = MortalWorker(self.folder, self._settings())
        self.addCleanup(self.worker.stop)

    def _settings(self) -> Mapping[str, JSON]:
        provisioner, _, worker_type = POOL.partition("/")
        return {
            **settings_of_root(self.taskcluster),
            "provisionerId": provisioner,
            "workerType": worker_type,
            "workerGroup": "tests",
            "workerId": "w1",
            "tasksDir": os.path.join(self.folder, "tasks"),
            "stateDir": os.path.join(self.folder, "state"),
            "requiredDiskSpaceMegabytes": 0,
            "enableMetadata": False,
            **self.settings,
        }

    async def give(self, tasks: Sequence[ChaosTask], **more: Any) -> None:
        """Create tasks for the worker."""
        for some in (tasks[first : first + 20] for first in range(0, len(tasks), 20)):
            await gatherResults([self._create(task, more) for task in some])

    def _create(self, task: ChaosTask, more: Mapping[str, Any]) -> Deferred[JSON]:
        whole = definition(POOL, task.payload, **{"retries": RETRIES, **more})
        created: Deferred[JSON] = self.client.queue.create_task(task.task_id, whole)
        return created

    async def until_resolved(self, tasks: Sequence[ChaosTask], seconds: float) -> Mapping[str, Sequence[JSON]]:
        """Wait until all are over; gives their runs. Raises C{AssertionError} that says what is still open."""
        end = reactor.seconds() + seconds
        runs: dict[str, Sequence[JSON]] = {}
        while len(runs) < len(tasks):
            await pause(reactor, 0.3)
            for task in tasks:
                if task.task_id not in runs:
                    status = (await self.client.queue.status(task.task_id))["status"]
                    if status["state"] not in RESOLVED:
                        break
                    runs[task.task_id] = status["runs"]
            if reactor.seconds() > end:
                raise AssertionError(f"{task} is {status} after {seconds} s:\n{self.worker.output[-5000:]}")
        return runs

    async def until_settled(self) -> None:
        """Wait until the worker has published what those before it left, and has nothing more to do."""
        await until(lambda: not remembered_in(self.folder), SETTLED_WITHIN, lambda: remembered_in(self.folder))

    async def assertAllAsTheyWereToEnd(self, tasks: Sequence[ChaosTask], runs: Mapping[str, Sequence[JSON]]) -> None:
        """Fail unless each task ended once, in the right way, with all that it and its runs were to publish."""
        worker = self.worker
        reasons = explained(self.proxy.lost_claims, worker.kills)
        judge = Judge(self.client, self.journal, reasons, said_to_lack([*worker.outputs, worker.output]))
        faults = [
            "\n    ".join([f"{fault}, after {self.proxy.harmed[task.task_id]}", *worker.said_about(task.task_id)])
            for task in tasks
            for fault in await judge.faults(task, runs[task.task_id])
        ]
        print(f"runs that were given away: {dict(judge.given_away)}", flush=True)
        self.assertEqual(faults, [], f"{len(faults)} faults:\n" + "\n".join(faults))
        self.assertEqual(self.worker.deaths, [])

    async def assertNothingLeft(self) -> None:
        """Stop the worker; fail unless nothing of it or of its tasks is on the machine."""
        self.assertEqual(await self.worker.stop(), 72, self.worker.output[-3000:])
        # Its launcher may take a moment longer than the worker.
        await until(lambda: not left_in(self.folder), 30, lambda: left_in(self.folder))

    def let_chances_decide(self, seed: object, share: float) -> None:
        """From now on so many of the requests meet a fate of their own."""
        self.proxy.decide = Chances(seed, share)

    def figures(self, runs: Mapping[str, Sequence[JSON]], seconds: float) -> str:
        """What happened, in one line."""
        fates: Counter[str] = Counter()
        for (_, fate), times in self.proxy.met.items():
            fates[fate.name.lower()] += times
        return (
            f"{len(runs)} tasks in {sum(map(len, runs.values()))} runs and {seconds:.0f} s,"
            f" {len(self.worker.kills)} kills, {len(self.proxy.lost_claims)} claims lost, {dict(fates)}"
        )
