"""What looks after the process of a worker."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import ProcessStatus
from tcworker.watch.process import in_a_line
from tests.surroundings import until
from tests.test_tap import Command, TwistdTestCase
from tests.watch.test_systemd import Manager


class InALine(SynchronousTestCase):
    def line(self, **changes: Any) -> str:
        return in_a_line({"state": "claiming", "runs": [], "problems": [], "heldBack": None, **changes})

    def runs(self, count: int) -> list[dict[str, Any]]:
        return [{"taskId": f"task{number}", "runId": 1} for number in range(count)]

    def test_nothing_runs(self) -> None:
        self.assertEqual(self.line(), "claiming, runs no task")

    def test_what_runs(self) -> None:
        self.assertEqual(self.line(state="running", runs=self.runs(2)), "running, runs task0/1 task1/1")

    def test_many_run(self) -> None:
        line = self.line(runs=self.runs(200))
        self.assertTrue(line.endswith("task7/1 and 192 more"), line)

    def test_why_it_does_not_claim(self) -> None:
        self.assertIn("; claims nothing: the disk is full", self.line(heldBack="the disk is full"))

    def test_what_is_wrong(self) -> None:
        self.assertIn("; unwell: it sleeps", self.line(problems=["it sleeps"]))


class ByAServiceManager(TwistdTestCase):
    """A worker in a process of its own, which a manager has started."""

    timeout = 60

    async def assertNotifies(self, command: Any) -> None:
        heard: list[str] = []

        def has_heard(line: str) -> bool:
            heard.extend(self.manager.heard())
            return line in heard

        self.twistd = command
        await until(lambda: has_heard("READY=1"), complaint=lambda: (heard, command.out))
        await until(lambda: has_heard("STATUS=claiming, runs no task"), complaint=lambda: heard)
        self.assertIn("WATCHDOG=1", heard)
        heard.clear()
        await until(lambda: has_heard("WATCHDOG=1"), complaint=lambda: heard)
        command.process.signalProcess("TERM")
        await command.ended()
        self.assertTrue(has_heard("STOPPING=1"), heard)

    def setUp(self) -> None:
        super().setUp()
        self.manager = Manager(self)
        self.environ = {"NOTIFY_SOCKET": self.manager.address, "WATCHDOG_USEC": "2000000"}

    async def test_twistd_tcworker(self) -> None:
        await self.assertNotifies(self.start("-n", "--pidfile=", "tcworker", "--config", "worker.yml", **self.environ))

    async def test_tcworker_worker(self) -> None:
        self.write_settings()
        await self.assertNotifies(Command(str(self.folder), "worker", "--config", "worker.yml", **self.environ))


BLOCKS = """
import sys, time
from tcworker.watch import stall
from twisted.internet import reactor

stall.StallWatch.ask_every = stall.StallWatch.tick = 0.05
def block():
    time.sleep(3)
reactor.callLater(0.2, block)
from tcworker.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Blocking(Command):
    program = ("-c", BLOCKS)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
from tcworker.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Limited(Command):
    program = ("-c", LIMITED)


class TooFewOpenFiles(TwistdTestCase):
    async def test_a_large_capacity_is_refused(self) -> None:
        self.settings["capacity"] = 50
        self.write_settings()
        self.twistd = Limited(str(self.folder), "worker", "--config", "worker.yml")
        self.assertEqual(await self.twistd.ended(), ProcessStatus.INVALID_CONFIG)
        self.assertIn("LimitNOFILE=1264", self.twistd.out[2])


class ABlockedReactor(TwistdTestCase):
    async def test_is_shown_where_it_is(self) -> None:
        self.write_settings()
        self.twistd = Blocking(str(self.folder), "worker", "--config", "worker.yml")
        await self.twistd.until("the reactor goes on")
        said = self.twistd.out[2]
        self.assertIn("the reactor has been blocked", said)
        self.assertIn("in block", said)
