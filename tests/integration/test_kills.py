"""C{kill -9} of a worker, its launcher or both, at whatever moment: nothing is left when the next one claims."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.error import ProcessExitedAlready
from twisted.web.server import Request

from tcworker.client.http import HTTP
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.engine.native.helpers import Helpers
from tcworker.engine.native.launcher import owner_of
from tcworker.engine.native.useradd import remove_user, users_at_home_in
from tcworker.interfaces import JSON
from tcworker.launcher.groups import names_of
from tcworker.launcher.linux import children
from tcworker.launcher.proc import descendants
from tcworker.launcher.system import this_system
from tcworker.testing.engines.traces import processes_with
from tcworker.waiting import pause
from tests.chances import chances
from tests.definitions import shell
from tests.integration.meddling import Meddling, Render
from tests.integration.processes import Command
from tests.integration.task_client import TaskClient
from tests.integration.worker_case import WorkerCase
from tests.surroundings import only_root, until
from tests.taskcluster_server import settings_of_root

RETRIES = 30

CLAIM = "/claim-work/"


class KillCase(Meddling, WorkerCase):
    """Workers in processes of their own; their Taskcluster is in this one, so that each of its calls is seen.

    @ivar calls: who wants to know of each call, by its method and path, before it takes effect.
    """

    times: ClassVar[Times] = Times(claim=5, poll=2, dependencies=0.1)

    async def prepare(self) -> None:
        only_root()
        self.marker = f"marker-{uuid4().hex}"
        self.calls: list[Callable[[str], None]] = []
        self.found: list[str] = []
        self.meddle("", "", self.look_at)
        taskcluster = Taskcluster(reactor, self.path("tc"), TaskclusterSettings(times=self.times, in_memory=True))
        taskcluster.startService()
        self.addCleanup(taskcluster.stopService)
        await taskcluster.when_listening()
        self.root = settings_of_root(taskcluster)
        http = HTTP(reactor)
        self.addCleanup(http.close)
        self.client = TaskClient(http, self.root, "integration/worker", 60)
        self.addCleanup(self.end_last)
        self.last: Command | None = None

    def look_at(self, request: Request, render: Render) -> bytes | int:
        for call in tuple(self.calls):
            call(f"{request.method.decode()} {request.path.decode()}")
        return render(request)

    def settings(self) -> Mapping[str, Any]:
        return {"taskUsers": True, "capacity": 3, "crashPauseSecs": 0, "maxInternalErrors": 0}

    def script(self) -> str:
        """What a task does: it leaves a daemon, deep folders, and an artifact."""
        daemon = f"( setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' {self.marker} & )"
        return f"{daemon}; mkdir -p a/b/c; echo {self.marker} > a/b/c/out.txt; touch begun; sleep 0.4"

    async def create(self, **more: Any) -> str:
        artifact = {"type": "file", "path": "a/b/c/out.txt", "name": "public/out.txt"}
        return await self.client.create(shell(self.script(), artifacts=[artifact]), retries=RETRIES, **more)

    def start(self) -> Command:
        """Start a worker that is looked at when it makes its first claim."""
        self.last = worker = self.worker()

        def look(call: str) -> None:
            if CLAIM in call and not self.claimed:
                self.claimed = True
                # It may have been killed after it called.
                self.found += self.left(worker) if worker.pid else []

        self.claimed, self.calls = False, [look]
        return worker

    async def end_last(self) -> None:
        """Leave no user behind even where a test fails."""
        if self.last is not None:
            await self.last.kill()
        for name, uid, _ in users_at_home_in(self.path("tasks")):
            remove_user(Helpers(self.path("state")), name, uid)

    def left(self, worker: Command | None) -> list[str]:
        """What is here of workers other than this one."""
        own = {worker.pid, *descendants(worker.pid)} if worker and worker.pid else set()
        tasks_dir = self.path("tasks")
        processes = [*processes_with(self.marker), *processes_with(f"{self.path('state')}@")]
        return [
            *(process for process in processes if int(process.split()[0]) not in own),
            *(os.listdir(tasks_dir) if os.path.isdir(tasks_dir) else ()),
            *(user.pw_name for user in pwd.getpwall() if user.pw_dir.startswith(tasks_dir)),
            *(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if tasks_dir in line),
        ]

    def groups(self) -> list[str]:
        """Control groups of workers with the test's state directory."""
        start = names_of(owner_of(self.path("state")))
        places = [hierarchy.own for hierarchy in this_system().hierarchies()]
        return [name for place in places for name in os.listdir(place) if name.startswith(start)]

    def launchers(self, worker: Command) -> Sequence[int]:
        own = children(worker.pid) if worker.pid is not None else set()
        return [pid for pid in own if b"launcher/main.py" in _command_line(pid)]

    async def kill(self, worker: Command, whom: str) -> None:
        """Kill a worker, its launcher, both, or all that descends from it as service managers do.

        Waits until the worker is dead if it is one of them.
        """
        below = descendants(worker.pid) if whom == "all" and worker.pid else self.launchers(worker)
        for pid in below if whom != "worker" else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if whom != "launcher":
            with contextlib.suppress(ProcessExitedAlready):
                worker.signal(signal.SIGKILL)
            await worker.until_ended()

    async def run_until_begun(self) -> tuple[Command, Sequence[str]]:
        first = self.start()
        tasks = [await self.create() for _ in range(3)]
        await until(self.begun)
        return first, tasks

    async def assertAllRunAgain(self, tasks: Sequence[str]) -> None:
        second = self.start()
        for task_id in tasks:
            runs = await self.client.until_resolved(task_id)
            self.assertEqual(runs[-1]["state"], "completed", second.output)
        await self.assertEndsInOrder(second)

    async def assertEndsInOrder(self, worker: Command) -> None:
        """Tell a worker to go when it has claimed, and fail if anything is left of it and those before."""
        await until(lambda: self.claimed)
        worker.signal(signal.SIGTERM)
        await worker.until_ended()
        self.assertEqual((self.found, self.left(None)), ([], []))
        self.assertEqual((os.listdir(self.path("state/runs")), self.groups()), ([], []))


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


class AtACall(KillCase):
    """Killed when the queue hears of something, which takes effect though nobody hears of that."""

    async def assertSurvives(self, call: str) -> None:
        first, heard = self.start(), []

        def kill(made: str) -> None:
            if call in made and not heard:
                heard.append(made)
                first.signal(signal.SIGKILL)

        self.calls.append(kill)
        task_id = await self.create()
        await first.until_ended()
        second = self.start()
        runs = await self.client.until_resolved(task_id)
        self.assertEqual(runs[-1]["state"], "completed", (runs, second.output))
        self.assertEqual({run["reasonResolved"] for run in runs[:-1]} - {"worker-shutdown", "claim-expired"}, set())
        await self.assertEndsInOrder(second)

    async def test_a_claim(self) -> None:
        await self.assertSurvives(CLAIM)

    async def test_an_artifact(self) -> None:
        await self.assertSurvives("POST /api/queue/v1/task")

    async def test_a_content(self) -> None:
        await self.assertSurvives("PUT /storage/")

    async def test_a_report(self) -> None:
        await self.assertSurvives("/completed")


class WhileItRuns(KillCase):
    """Killed while tasks run."""

    async def test_the_worker(self) -> None:
        first, tasks = await self.run_until_begun()
        await self.kill(first, "worker")
        await self.assertAllRunAgain(tasks)

    async def test_both(self) -> None:
        first, tasks = await self.run_until_begun()
        await self.kill(first, "both")
        await self.assertAllRunAgain(tasks)

    async def test_all(self) -> None:
        first, tasks = await self.run_until_begun()
        await self.kill(first, "all")
        await self.assertAllRunAgain(tasks)

    async def test_the_launcher(self) -> None:
        """Its tasks die with it, and the worker goes on with another one."""
        worker, tasks = await self.run_until_begun()
        await self.kill(worker, "launcher")
        ends = [(await self.client.until_resolved(task_id))[-1]["reasonResolved"] for task_id in tasks]
        self.assertIn("internal-error", ends)
        runs = await self.client.until_resolved(await self.create())
        self.assertEqual(runs[-1]["state"], "completed", worker.output)
        await self.assertEndsInOrder(worker)


class AllAsOneUser(KillCase):
    """Tasks run as the worker does, so that no user tells which processes are theirs."""

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "taskUsers": False}

    async def test_both(self) -> None:
        first, tasks = await self.run_until_begun()
        await self.kill(first, "both")
        await self.assertAllRunAgain(tasks)


class FoldersOfRuns(KillCase):
    """In the state directory."""

    async def test_those_that_nobody_knows_are_gone(self) -> None:
        """Their worker was killed before it had noted them, or after it had forgotten them."""
        os.mkdir(self.path("state"), 0o700)
        os.makedirs(self.path("state/runs/stray-0/deep"))
        worker = self.start()
        await until(lambda: self.claimed)
        self.assertEqual(os.listdir(self.path("state/runs")), [])
        await self.assertEndsInOrder(worker)


class AtAnyMoment(KillCase):
    """Killed by chance, from the first moment of its boot on."""

    timeout = 900

    async def test_nothing_is_lost_and_nothing_is_left(self) -> None:
        tasks: list[str] = []
        for chance in chances(4, 60):
            tasks += [await self.create() for _ in range(2)]
            await self.live_and_die(chance)
        last = self.start()
        for task_id in tasks:
            runs = await self.until_resolved(task_id, last)
            # Only a launcher that dies alone is noticed by somebody who can say so.
            self.assertIn(runs[-1]["reasonResolved"], ("completed", "internal-error"), runs)
        await self.assertEndsInOrder(last)

    async def until_resolved(self, task_id: str, worker: Command) -> Sequence[JSON]:
        try:
            return await self.client.until_resolved(task_id)
        except AssertionError as error:
            raise AssertionError(f"{error}; the worker says:\n{worker.output}") from error

    async def live_and_die(self, chance: Random) -> None:
        worker = self.start()
        whom = chance.choice(["worker", "both", "all", "launcher"])
        await pause(reactor, chance.uniform(0.2, 3))
        await self.kill(worker, whom)
        if whom == "launcher":
            await pause(reactor, chance.uniform(0, 1))
            await self.kill(worker, "worker")


class ATaskThatTakesItDown(KillCase):
    """A task that kills its worker, as one that root's worker runs with all rights can."""

    def settings(self) -> Mapping[str, Any]:
        return {"taskUsers": False, "crashPauseSecs": 3}

    def script(self) -> str:
        return f"kill -9 $(cat {self.path('pid')}) && sleep 60"

    def start(self) -> Command:
        worker = super().start()
        Path(self.path("pid")).write_text(str(worker.pid))
        return worker

    async def test_the_worker_claims_nothing_for_some_time(self) -> None:
        task_id = await self.create()
        for _ in range(2):
            worker = self.start()
            await worker.until_ended()
            self.assertNotIn("claiming nothing", worker.output)
        third = self.start()
        await third.until_printed("claiming nothing: the last workers here died with the same task in hand")
        self.assertIn(task_id, (await self.control("status"))["heldBack"])
        self.assertFalse(self.claimed)
        # As if another worker took it meanwhile.
        await self.client.queue.cancel_task(task_id)
        await self.assertEndsInOrder(third)
