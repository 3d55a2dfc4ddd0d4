"""The whole life of C{twistd tcworker}, against a Taskcluster in another process."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import slugid
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tcworker.client.http import HTTP
from tcworker.client.services import Queue
from tcworker.interfaces import Credentials, ProcessStatus
from tcworker.task.claim import write_date
from tcworker.waiting import pause
from tests.integration.processes import ROOT, Command, taskcluster_for

QUEUE_ID = "integration/worker"


class TheLifeOfAWorker(TestCase):
    timeout = 90

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        self.settings = await taskcluster_for(self, os.path.join(self.folder, "tc"))
        self.http = HTTP(reactor)
        self.addCleanup(self.http.close)
        credentials = Credentials.from_json(self.settings)
        self.queue = Queue(self.http, self.settings["rootURL"], lambda: credentials, reactor)

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

    async def create(self, script: str) -> str:
        now, task_id = datetime.now(UTC), slugid.nice()
        await self.queue.create_task(
            task_id,
            {
                "taskQueueId": QUEUE_ID,
                "created": write_date(now),
                "deadline": write_date(now + timedelta(hours=1)),
                "metadata": {"name": "t", "description": "", "owner": "a@b", "source": "https://localhost/"},
                "payload": {"command": [["sh", "-c", script]], "maxRunTime": 60},
            },
        )
        return str(task_id)

    async def until(self, task_id: str, *states: str) -> Any:
        """Wait until a task's last run is in one of these states; give its runs."""
        while True:
            runs = (await self.queue.status(task_id))["status"]["runs"]
            if runs[-1]["state"] in states:
                return runs
            await pause(reactor, 0.1)

    async def until_begun(self, task_id: str, file: str) -> None:
        """Wait until the task's command has made a file: it is claimed long before it runs."""
        await self.until(task_id, "running")
        while file not in os.listdir(self.folder):
            await pause(reactor, 0.05)

    async def test_sigterm_gives_the_task_to_another_worker(self) -> None:
        script = f"touch {self.folder}/begun; [ $RUN_ID = 1 ] || sleep 60"
        first, task_id = self.worker("first"), await self.create(script)
        await self.until_begun(task_id, "begun")
        first.signal(signal.SIGTERM)
        self.assertEqual(await first.until_ended(), ProcessStatus.SHUTDOWN)
        runs = await self.until(task_id, "pending")
        self.assertEqual(runs[0]["reasonResolved"], "worker-shutdown")
        self.worker("second")
        runs = await self.until(task_id, "completed", "failed", "exception")
        self.assertEqual([run["reasonResolved"] for run in runs], ["worker-shutdown", "completed"])
        self.assertEqual([run["workerId"] for run in runs], ["first", "second"])

    async def test_sigint_lets_the_task_end_first(self) -> None:
        script = f"touch {self.folder}/begun; while ! [ -e {self.folder}/go ]; do sleep 0.05; done"
        worker, task_id = self.worker("first"), await self.create(script)
        await self.until_begun(task_id, "begun")
        later = await self.create("true")
        worker.signal(signal.SIGINT)
        await worker.until_printed("draining")
        os.mkdir(os.path.join(self.folder, "go"))
        self.assertEqual(await worker.until_ended(), ProcessStatus.INTERRUPTED)
        (run,) = await self.until(task_id, "completed", "failed", "exception")
        self.assertEqual(run["state"], "completed")
        self.assertEqual((await self.queue.status(later))["status"]["state"], "pending")
