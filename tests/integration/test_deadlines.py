"""Workers that must be gone by a certain time, whatever hangs: report and log are there by then."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from twisted.internet import reactor as module
from twisted.internet.error import ProcessExitedAlready
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.client.http import HTTP
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.interfaces import ProcessStatus
from tcworker.waiting import pause
from tests.definitions import shell
from tests.integration.meddling import Meddling, Render
from tests.integration.processes import Command
from tests.integration.task_client import Outcome, TaskClient
from tests.integration.worker_case import IGNORES_TERM, WorkerCase
from tests.surroundings import only_root, until
from tests.taskcluster_server import settings_of_root

reactor: Any = module

SLACK = 1.5
"""Seconds by which a busy machine may tell later that a process has ended."""


class DeadlineCase(Meddling, WorkerCase):
    """A worker in a process of its own, and a Taskcluster in this one, which a test can let hang.

    @cvar poll: seconds that the queue holds a claimWork.
    """

    poll: ClassVar[float] = 1

    async def prepare(self) -> None:
        settings = TaskclusterSettings(times=Times(dependencies=0.02, poll=self.poll), in_memory=True)
        taskcluster = Taskcluster(reactor, self.path("tc"), settings)
        self.addCleanup(taskcluster.stopService)
        taskcluster.startService()
        await taskcluster.when_listening()
        http = HTTP(reactor)
        self.addCleanup(http.close)
        self.root = settings_of_root(taskcluster)
        self.client = TaskClient(http, self.root, "integration/worker")
        self.made: list[str] = []
        self.hanging: dict[str, int] = {}
        self.meddle("", "", self.answer)

    def settings(self) -> Mapping[str, Any]:
        return {"host": "tests.integration.notices.HostWithNotices", "killGraceSecs": 0.5}

    def answer(self, request: Request, render: Render) -> bytes | int:
        """Answer any request, unless it is to be left without an answer."""
        call = f"{request.method.decode()} {unquote(request.path.decode())}"
        self.made.append(call)
        for pattern, times in self.hanging.items():
            if times and re.search(pattern, call):
                self.hanging[pattern] -= 1
                return NOT_DONE_YET
        return render(request)

    def hang(self, pattern: str, times: int = 1000) -> None:
        """Leave so many requests without an answer, by method and path."""
        self.hanging[pattern] = times

    async def gone(self, worker: Command, seconds: float) -> None:
        """Wait for the end of a worker that must be gone in so many seconds."""
        status = await worker.until_ended().addTimeout(seconds + SLACK, reactor)
        self.assertEqual(status, ProcessStatus.SHUTDOWN, worker.output)
        # However much was cut off: that is no fault of the worker's.
        self.assertNotIn("Traceback", worker.output)

    def signal_again(self, worker: Command) -> None:
        """Send a second signal, which may come too late."""
        with contextlib.suppress(ProcessExitedAlready):
            worker.signal(signal.SIGINT)

    async def outcome(self, task_id: str) -> Outcome:
        """What is to be seen of a task's first run, after the worker's end."""
        return await self.client.seen(task_id, await self.client.until_resolved(task_id), 0)

    def assertHandedOn(self, outcome: Outcome) -> None:
        """Fail unless a run was reported, and its log is whole."""
        self.assertEqual(outcome.resolution, "exception/worker-shutdown")
        self.assertIn("begun to work", outcome.lines)
        self.assertIn("shutting down", outcome.lines[-1])


WORK = f"echo begun to work; {IGNORES_TERM}"


class Notices(DeadlineCase):
    """What the host says."""

    async def test_a_spot_machine_hands_on_a_task_that_ignores_sigterm(self) -> None:
        worker = self.worker()
        task_id = await self.running(WORK)
        self.notice(False, 120)
        await self.gone(worker, 20)
        self.assertHandedOn(await self.outcome(task_id))

    async def test_a_machine_that_is_gone_in_thirty_seconds_lets_a_short_task_end(self) -> None:
        worker = self.worker()
        task_id = await self.running("touch begun; while ! [ -e end ]; do sleep 0.05; done")
        self.notice(True, 30)
        await worker.until_printed("draining: the machine goes")
        self.say_in_tasks("end")
        await self.gone(worker, 30)
        self.assertEqual((await self.outcome(task_id)).resolution, "completed")

    async def test_and_hands_on_a_long_one(self) -> None:
        worker = self.worker(shutdownGraceSecs=27)
        task_id = await self.running(WORK)
        self.notice(True, 30)
        await self.gone(worker, 30)
        self.assertHandedOn(await self.outcome(task_id))

    async def test_a_second_notice_shortens(self) -> None:
        worker = self.worker()
        task_id = await self.running(WORK)
        self.notice(True, 120)
        await worker.until_printed("draining: the machine goes")
        self.notice(False, 5, "it goes earlier")
        await self.gone(worker, 5)
        self.assertHandedOn(await self.outcome(task_id))


class Signals(DeadlineCase):
    """What an operator says."""

    async def test_a_second_one_waits_no_longer_for_the_task(self) -> None:
        worker = self.worker(killGraceSecs=60, shutdownGraceSecs=120)
        task_id = await self.running(WORK)
        worker.signal(signal.SIGTERM)
        await worker.until_printed("stopping: SIGTERM")
        worker.signal(signal.SIGTERM)
        await self.gone(worker, 5)
        self.assertHandedOn(await self.outcome(task_id))


class Boots(DeadlineCase):
    """Whoever is told to go before the first claim makes none."""

    async def test_a_notice_that_is_there_already(self) -> None:
        self.notice(True, None)
        await self.client.create(shell("true"))
        await self.gone(self.worker(), 20)
        self.assertEqual([call for call in self.made if "claim-work" in call], [])

    async def test_a_host_that_is_away(self) -> None:
        worker = self.worker(host="tests.integration.notices.HostThatIsAway")
        await until(lambda: os.path.exists(self.path("asked")))
        self.notice(False, 5)
        await self.gone(worker, 5)
        self.assertEqual([call for call in self.made if "claim-work" in call], [])

    async def test_a_signal_at_any_moment(self) -> None:
        for number in range(8):
            task_id = await self.client.create(shell("sleep 60"), retries=1)
            worker = self.worker()
            await pause(reactor, 0.05 + number * 0.15)
            worker.signal(signal.SIGTERM)
            # That of the signal, while the program is being loaded.
            self.assertIn(await worker.until_ended().addTimeout(20, reactor), (ProcessStatus.SHUTDOWN, -1))
            self.assertEqual(await self.client.state(task_id), "pending", worker.output)
            await self.client.queue.cancel_task(task_id)


class ClaimsInFlight(DeadlineCase):
    """A worker that waits for a task."""

    poll = 20

    async def test_what_it_is_given_goes_to_others_at_once(self) -> None:
        worker = self.worker()
        await until(lambda: any("claim-work" in call for call in self.made))
        worker.signal(signal.SIGTERM)
        await worker.until_printed("stopping")
        task_id = await self.client.create(shell("true"))
        await self.gone(worker, 25)
        (run,) = await self.client.until_resolved(task_id)
        self.assertEqual(run["reasonResolved"], "worker-shutdown")


class ManyTasks(DeadlineCase):
    """A machine full of them."""

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "capacity": 8}

    async def end_within(self, seconds: float) -> None:
        worker = self.worker()
        tasks = [await self.client.create(shell(WORK)) for _ in range(8)]
        await until(lambda: len(self.begun()) == 8)
        self.notice(False, seconds)
        await self.gone(worker, seconds)
        for task_id in tasks:
            self.assertHandedOn(await self.outcome(task_id))

    async def test_all_of_them_are_handed_on(self) -> None:
        await self.end_within(10)


class ManyUsers(ManyTasks):
    """The same, where each task has a user of its own, which is to go with it."""

    def settings(self) -> Mapping[str, Any]:
        only_root()
        return {**super().settings(), "taskUsers": True}


class AtAnyMoment(DeadlineCase):
    """A worker is told to go at whatever moment of a task's life."""

    moments = 5

    async def test_the_run_is_reported_and_its_log_published(self) -> None:
        artifacts = [{"type": "file", "path": "made", "name": f"public/{number}"} for number in range(3)]
        script = "echo begun to work; head -c 300000 /dev/urandom > made; touch begun; sleep 0.1"
        for number in range(self.moments):
            self.made.clear()
            worker = self.worker()
            task_id = await self.client.create(shell(script, artifacts=artifacts))
            # One whose claim is still being answered is only given back, and has no log.
            await worker.until_printed("claimed")
            await pause(reactor, number * 0.6 / self.moments)
            worker.signal(signal.SIGTERM)
            if number % 2:
                # Two that come together are taken in the order of their numbers.
                await worker.until_printed("stopping: SIGTERM")
                self.signal_again(worker)
            await self.gone(worker, 25)
            outcome = await self.outcome(task_id)
            self.assertIn(outcome.resolution, ("completed", "exception/worker-shutdown"), worker.output)
            self.assertIn("public/logs/live_backing.log", outcome.artifacts)
            if outcome.resolution == "completed":
                self.assertEqual({outcome.artifacts[f"public/{n}"]["storageType"] for n in range(3)}, {"s3"})


class Hanging(DeadlineCase):
    """What does not answer."""

    async def test_a_storage(self) -> None:
        worker = self.worker()
        artifacts = [{"type": "file", "path": "large", "name": "public/large"}]
        script = f"head -c 3000000 /dev/urandom > large; {WORK}"
        task_id = await self.client.create(shell(script, artifacts=artifacts))
        await until(self.begun)
        self.hang("PUT .*large")
        self.notice(False, 5)
        await self.gone(worker, 5)
        self.assertHandedOn(await self.outcome(task_id))

    async def test_the_reactor(self) -> None:
        worker = self.worker(host="tests.integration.notices.HostThatHoldsUp")
        await self.running(WORK)
        self.notice(False, 2)
        await self.gone(worker, 2)
        self.assertIn("the worker is not gone within 2 s", worker.output)

    async def test_the_queue_once(self) -> None:
        worker = self.worker()
        task_id = await self.running(WORK)
        self.hang("POST .*/runs/0/exception", times=1)
        self.notice(False, 10)
        await self.gone(worker, 10)
        self.assertHandedOn(await self.outcome(task_id))

    async def test_the_storage_of_the_log_once(self) -> None:
        worker = self.worker()
        task_id = await self.running(WORK)
        self.hang("PUT .*backing", times=1)
        self.notice(False, 10)
        await self.gone(worker, 10)
        self.assertHandedOn(await self.outcome(task_id))

    async def test_a_storage_that_takes_nothing_has_the_log_from_the_next_worker(self) -> None:
        worker = self.worker()
        task_id = await self.running(WORK)
        away = [True]

        def store(request: Request, render: Render) -> bytes | int:
            if not away:
                return render(request)
            request.setResponseCode(503)
            return b"{}"

        self.meddle("PUT", "", store)
        self.notice(False, 5)
        await self.gone(worker, 5)
        away.clear()
        self.worker()
        await until(lambda: os.listdir(self.path("state/runs")) == [])
        log = await self.client.content(task_id, 0, "public/logs/live_backing.log")
        self.assertIn(b"the worker is shutting down", log)

    async def test_the_queue_from_now_on(self) -> None:
        worker = self.worker()
        task_id = await self.running(WORK)
        self.hang("queue.*/runs/")
        self.notice(False, 4)
        await self.gone(worker, 4)
        self.assertEqual(await self.client.state(task_id), "running")
        self.hanging.clear()
        self.worker()
        await until(lambda: any("PUT" in call and "backing" in call for call in self.made))
        outcome = await self.outcome(task_id)
        self.assertEqual(outcome.resolution, "exception/worker-shutdown")
        self.assertIn("begun to work", outcome.lines)
        self.assertIn("the worker was told to be gone in ", outcome.log.splitlines()[-1])

    async def test_all_of_it_and_a_second_signal(self) -> None:
        worker = self.worker()
        await self.running(WORK)
        self.hang("")
        worker.signal(signal.SIGTERM)
        await worker.until_printed("stopping: SIGTERM")
        worker.signal(signal.SIGINT)
        await self.gone(worker, 5)
