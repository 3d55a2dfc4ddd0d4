"""Two workers' tasks with random mounts, on a disk that has no room for all that they keep.

Every task that gets its mounts has them whole, whatever was thrown away meanwhile; one that does not get them fails for
want of room and says so, and another run of it succeeds. Nobody notices anything else. One round in C{make test}, ten
in C{make soak}.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from random import Random

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from tcworker.client.http import HTTP
from tcworker.folder_lock import LOCK
from tests.chances import SOAKING, chances
from tests.integration.processes import BIN, ROOT, Command, taskcluster_for
from tests.integration.task_client import Outcome, TaskClient
from tests.storm.contents import archive_of, site_of
from tests.storm.disk import SmallDisk
from tests.storm.tasks import BROKEN, MountingTask, Tasks
from tests.surroundings import only_root, open_folder

MOUNTS = 200

DISK, REQUIRED = 28, 6
"""MiB. All archives, extracted and as files, and all caches are several times as much for each worker."""

FULL = ("No space left on device", "disk is full")
"""As the system says it, and as SQLite does."""

RUNS = 12
"""Of one task, at the most: four tasks may need more at a time than there is."""


class OnASmallDisk(TestCase):
    timeout = 3000 if SOAKING else 300

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        only_root()
        self.folder = open_folder(self)
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self) -> None:
        self.root = await taskcluster_for(self, os.path.join(self.folder, "tc"))
        http = HTTP(reactor)
        self.addCleanup(http.close)
        self.client = TaskClient(http, self.root, "integration/worker", self.timeout)

    async def test_every_task_has_its_mounts_whole(self) -> None:
        for seed, source in enumerate(chances(1, 10)):
            await self.round(seed, source)

    async def round(self, seed: int, source: Random) -> None:
        disk = await SmallDisk.mount(self, os.path.join(self.folder, f"disk{seed}"), DISK)
        archives = [archive_of(source, number, 1500) for number in range(30)]
        tasks = Tasks(source, self.serve(Site(site_of(archives))), archives).with_mounts(MOUNTS)
        # One with a user for each task, one without: what is mounted belongs to others then.
        workers = {name: self.worker(disk, name, own_users) for name, own_users in (("w1", True), ("w2", False))}
        runs = await self.runs_of(tasks)
        print(f"round {seed}: {len(tasks)} tasks, {sum(runs)} runs, {disk.free} MiB free in the end", flush=True)
        for worker in workers.values():
            worker.signal(signal.SIGTERM)
        for name, worker in workers.items():
            await self.assertEndsWell(worker, disk, name)

    async def runs_of(self, tasks: Sequence[MountingTask]) -> Sequence[int]:
        """Wait until all are completed; give how many runs each has taken."""
        completing = [Deferred.fromCoroutine(self.completed(task)) for task in tasks]
        outcomes = await DeferredList(completing, consumeErrors=True)
        for succeeded, outcome in outcomes:
            if not succeeded:
                outcome.raiseException()
        return [runs for _, runs in outcomes]

    def serve(self, site: Site) -> str:
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"http://127.0.0.1:{port.getHost().port}"

    def worker(self, disk: SmallDisk, name: str, task_users: bool) -> Command:
        settings = {
            **self.root,
            "provisionerId": "integration",
            "workerType": "worker",
            "workerId": name,
            "capacity": 2,
            "tasksDir": f"{disk.path}/{name}/tasks",
            "stateDir": f"{disk.path}/{name}/state",
            "requiredDiskSpaceMegabytes": REQUIRED,
            "enableMetadata": False,
            "taskUsers": task_users,
        }
        path = os.path.join(self.folder, f"{name}.json")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump(settings, file)
        program = disk.before([os.path.join(BIN, "tcworker"), "worker", "--config", path])
        command = Command(program, self.folder, environment={"PYTHONPATH": ROOT})
        self.addCleanup(command.kill)
        return command

    async def completed(self, task: MountingTask) -> int:
        """Create a task until it is completed; give how many runs that took."""
        for number in range(1, RUNS + 1):
            outcome = await self.client.outcome(await self.client.create(task.payload, scopes=task.scopes))
            if outcome.resolution == "completed":
                return number
            self.assertHadNoRoom(outcome)
        raise AssertionError(f"there never was room for {task}")

    def assertHadNoRoom(self, outcome: Outcome) -> None:
        """Fail unless a run ended because the disk was full for the worker, which says so, or for a command of its."""
        self.assertIsNotNone(outcome.verdict, outcome.log)
        self.assertNotIn(BROKEN, outcome.lines, outcome.log)
        if outcome.verdict["cause"] != "exit-status":
            self.assertEqual(outcome.verdict["cause"], "no-disk", outcome.log)
            self.assertTrue(any(text in line for line in outcome.errors for text in FULL), outcome.log)

    async def assertEndsWell(self, worker: Command, disk: SmallDisk, name: str) -> None:
        """Fail unless a worker had to make room, met no other trouble, and leaves what it knows of and nothing else."""
        self.assertEqual(await worker.until_ended(), 72, worker.output[-5000:])
        self.assertIn("thrown away: ", worker.output)
        self.assertEqual([line for line in worker.output.splitlines() if " critical " in line], [], worker.output)
        tasks, state = (os.path.join(disk.seen, name, part) for part in ("tasks", "state"))
        self.assertEqual(os.listdir(tasks), [])
        self.assertEqual([user for user in pwd.getpwall() if user.pw_dir.startswith(f"{disk.path}/{name}/")], [])
        # SQLite would look for it outside the namespace.
        seen = os.path.join(self.folder, f"{os.path.basename(disk.path)}-{name}.state")
        shutil.copytree(state, seen, ignore=shutil.ignore_patterns("cache-*"))
        folders, remembered = folders_in(state), remembered_in(seen)
        self.assertEqual(set(folders) - set(remembered), set())
        if "the worker's state did not take" not in worker.output:
            self.assertEqual(sorted(folders), sorted(remembered))


def folders_in(state: str) -> Sequence[str]:
    """The names of the folders of what a worker has kept."""
    return [name for part in ("caches", "downloads") for name in os.listdir(f"{state}/{part}") if name != LOCK]


def remembered_in(state: str) -> Sequence[str]:
    """The same by its memory, if nobody uses one."""
    with closing(sqlite3.connect(f"{state}/state.db")) as database:
        rows = list(database.execute("SELECT details, run FROM caches"))
    assert all(run is None for _, run in rows), rows
    return [os.path.basename(json.loads(details)["path"]) for details, _ in rows]
