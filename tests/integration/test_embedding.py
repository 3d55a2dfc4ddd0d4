"""Several workers in one program that has other things to do."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tcworker.assemble import new_worker
from tcworker.client.http import HTTP
from tcworker.config import Source
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.interfaces import ITaskContext
from tcworker.testing.engines import traces
from tcworker.waiting import pause
from tcworker.worker import Worker
from tests.definitions import shell
from tests.integration.task_client import TaskClient
from tests.taskcluster_server import settings_of_root


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def threads_of_workers() -> int:
    """How many threads there are beside those of the reactor and of the Taskcluster, which come as they are needed."""
    return sum(not any(pool in name for pool in ("database", "files")) for name in traces.threads())


class ThreeWorkers(TestCase):
    """In one reactor, each with one slot, against one Taskcluster."""

    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        self.folder = self.mktemp()
        settings = TaskclusterSettings(times=Times(poll=1))
        self.taskcluster = Taskcluster(reactor, os.path.join(self.folder, "tc"), settings)
        self.taskcluster.startService()
        self.addCleanup(self.taskcluster.stopService)
        await self.taskcluster.when_listening()
        http = HTTP(reactor)
        self.addCleanup(http.close)
        self.client = TaskClient(http, settings_of_root(self.taskcluster), "embedding/w")

    def new_worker(self, number: int) -> Worker:
        settings: dict[str, Any] = {
            **settings_of_root(self.taskcluster),
            "provisionerId": "embedding",
            "workerType": "w",
            "workerId": f"w{number}",
            "tasksDir": os.path.join(self.folder, f"tasks{number}"),
            "stateDir": os.path.join(self.folder, f"state{number}"),
            "requiredDiskSpaceMegabytes": 0,
            # They would not reach this folder.
            "taskUsers": False,
        }
        return new_worker(reactor, [Source("test", settings)])

    async def test_all_of_them_work_and_leave_what_is_the_program_s_alone(self) -> None:
        # Trial's reactor takes its own signals when it begins to run.
        await pause(reactor, 0)
        handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
        place, threads, files = os.getcwd(), threads_of_workers(), descriptors()
        workers = [self.new_worker(number) for number in range(3)]
        seen: list[ITaskContext] = []
        for worker in workers:
            worker.watch_runs(seen.append)
            worker.startService()
        await gatherResults([worker.when_booted() for worker in workers])
        # Each waits for the two others, which only works if all three run at once.
        others = f"while [ $(ls {place}/{self.folder}/*_here | wc -l) -lt 3 ]; do sleep 0.05; done"
        tasks = [
            await self.client.create(shell(f"touch {place}/{self.folder}/{number}_here; {others}"))
            for number in range(3)
        ]
        runs = [(await self.client.until_resolved(task_id))[-1] for task_id in tasks]
        self.assertEqual({run["state"] for run in runs}, {"completed"})
        self.assertEqual({run["workerId"] for run in runs}, {"w0", "w1", "w2"})
        self.assertEqual({context.task_id for context in seen}, set(tasks))
        each = ((threads_of_workers() - threads) / 3, (descriptors() - files) / 3)
        # docs/embedding.md promises these.
        self.assertTrue(each[0] <= 10 and each[1] <= 25, f"threads and files of one worker: {each}")
        await gatherResults([worker.stopService() for worker in workers])
        self.assertEqual([signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)], handlers)
        self.assertEqual((os.getcwd(), self.taskcluster.running), (place, 1))
        self.assertLessEqual(threads_of_workers(), threads)

    async def test_one_that_is_stopped_leaves_the_others_at_work(self) -> None:
        workers = [self.new_worker(number) for number in range(2)]
        for worker in workers:
            worker.startService()
            self.addCleanup(worker.stopService)
        await gatherResults([worker.when_booted() for worker in workers])
        await workers[0].stopService()
        (run,) = await self.client.until_resolved(await self.client.create(shell("true")))
        self.assertEqual((run["state"], run["workerId"]), ("completed", "w1"))

    async def test_two_that_want_one_state_directory(self) -> None:
        first, second = self.new_worker(0), self.new_worker(0)
        first.startService()
        self.addCleanup(first.stopService)
        await first.when_booted()
        second.startService()
        stopped: Deferred[Any] = second.when_stopped()
        failure = await stopped.addErrback(lambda failure: failure.value)
        self.assertIn(str(os.getpid()), str(failure))
        await second.stopService()
