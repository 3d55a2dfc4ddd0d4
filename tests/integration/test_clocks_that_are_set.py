"""Whole processes on a machine whose clock is set while they count: nothing ends early, nothing waits for longer."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import ClassVar

from twisted.internet import reactor

from tcworker.client.http import HTTP
from tcworker.interfaces import ProcessStatus
from tcworker.task.claim import read_date
from tests.definitions import shell
from tests.integration.processes import ROOT, Command
from tests.integration.task_case import FILE
from tests.integration.task_client import TaskClient
from tests.integration.test_deadlines import DeadlineCase
from tests.surroundings import until

FORWARD, BACK = signal.SIGUSR1, signal.SIGUSR2


class ClockSetCase(DeadlineCase):
    """Those of a machine whose clock the test sets.

    @cvar jump: by how many seconds.
    """

    poll: ClassVar[float] = 0.2
    jump: ClassVar[float] = 3600

    def command(self, *arguments: str) -> Command:
        program = (os.path.basename(sys.executable), "-m", "tests.integration.clock_setting", str(self.jump))
        command = Command([*program, *arguments], self.folder, environment={"PYTHONPATH": ROOT})
        self.addCleanup(command.kill)
        return command

    async def set(self, process: Command, jump: signal.Signals) -> None:
        """Set the clock."""
        count = process.output.count("set to")
        process.signal(jump)
        await until(lambda: process.output.count("set to") > count)

    def write(self, name: str, text: str) -> None:
        """Make a file in the test's folder."""
        Path(self.path(name)).write_text(text)

    def calls(self, part: str) -> int:
        """How often a call was made."""
        return sum(part in call for call in self.made)


class AWorker(ClockSetCase):
    async def test_a_task_that_prints_is_not_taken_for_idle(self) -> None:
        worker = self.worker()
        # When its silence is looked at, 6 s after its begin, there were 3 s of it, and the clock was set meanwhile.
        script = "sleep 3; echo going on; sleep 2; touch begun; sleep 2; echo done"
        task_id = await self.client.create(shell(script, idleOutputTimeoutSecs=6))
        await until(self.begun)
        await self.set(worker, FORWARD)
        outcome = await self.outcome(task_id)
        self.assertEqual(outcome.resolution, "completed", outcome.log)

    async def test_one_that_prints_nothing_is(self) -> None:
        worker = self.worker(killGraceSecs=0.5)
        task_id = await self.client.create(shell("touch begun; sleep 600", idleOutputTimeoutSecs=3))
        await until(self.begun)
        await self.set(worker, BACK)
        outcome = await self.outcome(task_id)
        self.assertEqual(outcome.resolution, "failed", outcome.log)
        self.assertIn("it printed nothing for 3 seconds", outcome.log)

    async def test_no_task_has_less_time_than_it_may_take(self) -> None:
        worker = self.worker()
        task_id = await self.client.create(shell("touch begun; sleep 3; echo done", maxRunTime=600))
        await until(self.begun)
        await self.set(worker, FORWARD)
        self.assertEqual((await self.outcome(task_id)).resolution, "completed")

    async def test_an_upload_waits_for_the_end_of_an_outage(self) -> None:
        refused = self.refuse("POST", "/artifacts/public/out.txt$", 503, times=9)
        worker = self.worker()
        task_id = await self.client.create(shell("echo content > out.txt", artifacts=[FILE]))
        for jump in (FORWARD, BACK, BACK):
            count = len(refused)
            await until(lambda: len(refused) > count)  # noqa: B023  # it has ended before the next
            await self.set(worker, jump)
        outcome = await self.outcome(task_id)
        self.assertEqual(outcome.resolution, "completed", outcome.log)

    async def test_a_worker_that_drains_has_the_time_that_it_was_given(self) -> None:
        worker = self.worker()
        task_id = await self.running("touch begun; while ! [ -e end ]; do sleep 0.05; done")
        self.notice(True, 60)
        await worker.until_printed("draining")
        for jump in (FORWARD, BACK, BACK):
            await self.set(worker, jump)
            left = (await self.control("status"))["secondsLeft"]
            self.assertTrue(20 < left <= 60, left)
        self.say_in_tasks("end")
        await self.gone(worker, 30)
        self.assertEqual((await self.outcome(task_id)).resolution, "completed")

    async def test_dates_are_those_of_the_clock_as_it_is_now(self) -> None:
        worker = self.worker()
        await until(lambda: self.calls("/claim-work/") >= 1)
        before = read_date((await self.control("status"))["since"])
        await self.set(worker, FORWARD)
        after = read_date((await self.control("status"))["since"])
        self.assertLess(abs((after - before).total_seconds() - 3600), 60)

    async def test_an_idle_worker_goes_when_it_was_idle_for_long_enough(self) -> None:
        # It looks before each claim, of which there is one every 5 s.
        worker = self.worker(idleTimeoutSecs=8)
        await until(lambda: self.calls("/claim-work/") == 1)
        await self.set(worker, FORWARD)
        await until(lambda: self.calls("/claim-work/") == 2)
        await self.set(worker, BACK)
        await self.set(worker, BACK)
        self.assertEqual(await worker.until_ended(), ProcessStatus.IDLE, worker.output)


class ARun(ClockSetCase):
    """Which has a Taskcluster of its own."""

    async def test_is_as_it_would_have_been(self) -> None:
        script = f"touch {self.path('begun')}; sleep 4; echo done"
        payload = {"command": [["sh", "-c", script]], "maxRunTime": 600, "idleOutputTimeoutSecs": 600}
        self.write("task.json", json.dumps({"payload": payload}))
        for jump in (FORWARD, BACK):
            command = self.command("run", self.path("task.json"))
            await until(lambda: os.path.exists(self.path("begun")))
            await self.set(command, jump)
            self.assertEqual(await command.until_ended(), ProcessStatus.DONE, command.output)
            os.unlink(self.path("begun"))


class AServer(ClockSetCase):
    """Whose dates are by the machine's clock: a jump by more ends the credentials of what runs."""

    jump = 600

    async def test_its_worker_counts_on(self) -> None:
        self.write("worker.json", json.dumps({"tasksDir": self.path("tasks"), "taskUsers": False}))
        server = self.command("server", "--port", "0", "--worker-config", self.path("worker.json"))
        await server.until_printed("unset TASKCLUSTER_CERTIFICATE\n")
        said = dict(re.findall("^export TASKCLUSTER_(.*?)=(.*)$", server.output, re.MULTILINE))
        root = {"rootURL": said["ROOT_URL"], "clientId": said["CLIENT_ID"], "accessToken": said["ACCESS_TOKEN"]}
        http = HTTP(reactor)
        self.addCleanup(http.close)
        self.client = TaskClient(http, root, "local/tasks")
        task_id = await self.running("touch begun; sleep 4; echo done")
        await self.set(server, FORWARD)
        self.assertEqual((await self.outcome(task_id)).resolution, "completed")
