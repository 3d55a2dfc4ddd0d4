"""The whole life of C{twistd tcworker}, against a Taskcluster in another process."""

from __future__ import annotations

import json
import os
import signal

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tcworker.client.http import HTTP
from tcworker.interfaces import ProcessStatus
from tests.definitions import shell
from tests.integration.processes import ROOT, Command, taskcluster_for
from tests.integration.task_client import TaskClient
from tests.surroundings import until


class TheLifeOfAWorker(TestCase):
    timeout = 90

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        self.settings = await taskcluster_for(self, os.path.join(self.folder, "tc"))
        http = HTTP(reactor)
        self.addCleanup(http.close)
        self.client = TaskClient(http, self.settings, "integration/worker")

    def start(self, *arguments: str, folder: str = ROOT) -> Command:
        command = Command(arguments, folder)
        self.addCleanup(command.kill)
        return command

    def worker(self, name: str) -> Command:
        config = os.path.join(self.folder, f"{name}.json")
        folders = {"tasksDir": f"{name}-tasks", "stateDir": f"{name}-state"}
        # Tasks write beside these, which users of their own could not.
        own = {"workerId": name, "workerType": "worker", "provisionerId": "integration", "taskUsers": False}
        with open(os.open(config, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            json.dump({**self.settings, **folders, **own}, file)
        pid = os.path.join(self.folder, f"{name}.pid")
        return self.start("twistd", "-n", "--pidfile", pid, "tcworker", "--config", config, folder=self.folder)

    async def until_begun(self, task_id: str, file: str) -> None:
        """Wait until the task's command has made a file: it is claimed long before it runs."""
        await self.client.until(task_id, "running")
        await until(lambda: file in os.listdir(self.folder))

    async def test_sigterm_gives_the_task_to_another_worker(self) -> None:
        script = f"touch {self.folder}/begun; [ $RUN_ID = 1 ] || sleep 60"
        first, task_id = self.worker("first"), await self.client.create(shell(script), retries=1)
        await self.until_begun(task_id, "begun")
        first.signal(signal.SIGTERM)
        self.assertEqual(await first.until_ended(), ProcessStatus.SHUTDOWN)
        runs = await self.client.until(task_id, "pending")
        self.assertEqual(runs[0]["reasonResolved"], "worker-shutdown")
        self.worker("second")
        runs = await self.client.until_resolved(task_id)
        self.assertEqual([run["reasonResolved"] for run in runs], ["worker-shutdown", "completed"])
        self.assertEqual([run["workerId"] for run in runs], ["first", "second"])

    async def test_sigint_lets_the_task_end_first(self) -> None:
        script = f"touch {self.folder}/begun; while ! [ -e {self.folder}/go ]; do sleep 0.05; done"
        worker, task_id = self.worker("first"), await self.client.create(shell(script))
        await self.until_begun(task_id, "begun")
        later = await self.client.create(shell("true"))
        worker.signal(signal.SIGINT)
        await worker.until_printed("draining")
        os.mkdir(os.path.join(self.folder, "go"))
        self.assertEqual(await worker.until_ended(), ProcessStatus.INTERRUPTED)
        (run,) = await self.client.until_resolved(task_id)
        self.assertEqual(run["state"], "completed")
        self.assertEqual(await self.client.state(later), "pending")
