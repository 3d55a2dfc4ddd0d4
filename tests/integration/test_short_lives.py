"""Workers that are stopped at any moment of their boot, in a program that lives on."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor as module
from twisted.trial.unittest import TestCase

from tcworker.assemble import new_worker
from tcworker.config import Source
from tcworker.testing.engines import traces
from tcworker.waiting import pause
from tcworker.worker import Worker
from tests.surroundings import open_folder
from tests.test_tap import free_port

reactor: Any = module


class ShortLives(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.folder = open_folder(self)
        # Nobody listens there: a boot needs no Taskcluster.
        self.root_url = f"http://127.0.0.1:{free_port()}"

    def new_worker(self) -> Worker:
        settings = {
            "rootURL": self.root_url,
            "clientId": "c",
            "accessToken": "t",
            "workerType": "w",
            "workerId": "i",
            "tasksDir": os.path.join(self.folder, "tasks"),
            "stateDir": os.path.join(self.folder, "state"),
            "taskUsers": False,
            "requiredDiskSpaceMegabytes": 0,
        }
        return new_worker(reactor, [Source("test", settings)])

    async def live(self, seconds: float) -> None:
        """Have a worker for so long, and then nothing of it."""
        worker = self.new_worker()
        worker.startService()
        await pause(reactor, seconds)
        await worker.stopService()

    async def test_leave_nothing(self) -> None:
        await self.live(0.5)
        files, threads = os.listdir("/proc/self/fd"), traces.threads()
        for number in range(12):
            await self.live(number * 0.008)
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), sorted(files))
        self.assertLessEqual(len(traces.threads()), len(threads))
        self.assertEqual(os.listdir(os.path.join(self.folder, "tasks")), [])

    async def test_leave_their_folder_to_the_next(self) -> None:
        for number in range(5):
            await self.live(number * 0.004)
            worker = self.new_worker()
            worker.startService()
            self.addCleanup(worker.stopService)
            await worker.when_booted()
            await worker.stopService()
