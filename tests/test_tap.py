"""C{twistd tcworker} and the .tac files, each in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python import usage
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, readBody

from tcworker.tap import Options
from tcworker.waiting import OneShot

ROOT = Path(__file__).parent.parent

READY = "no claim from "
"""What the log says once a worker has found nobody at its root URL."""


def free_port() -> int:
    """A port of the loopback interface at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Twistd(ProcessProtocol):
    """A C{twistd} that runs."""

    program: ClassVar = ["-c", "import sys; from twisted.scripts.twistd import run; sys.exit(run())"]

    def __init__(self, folder: str, *arguments: str, **environ: str) -> None:
        self.out = {1: "", 2: ""}
        self._expected: tuple[str, Deferred[None]] = ("", Deferred())
        self._ended: OneShot[int | None] = OneShot()
        self.process = reactor.spawnProcess(
            self,
            sys.executable,
            [sys.executable, *self.program, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            path=folder,
        )

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.out[childFD] += data.decode()
        text, waiting = self._expected
        if text in self.out[2] + self.out[1] and not waiting.called:
            waiting.callback(None)

    def processEnded(self, reason: Failure) -> None:
        self._ended.succeed(reason.value.exitCode)  # type: ignore[union-attr]  # ProcessDone or ProcessTerminated

    def until(self, text: str) -> Deferred[None]:
        """Fire when it has printed a text."""
        self._expected = (text, Deferred())
        self.childDataReceived(1, b"")
        return self._expected[1].addTimeout(20, reactor)

    def ended(self) -> Deferred[int | None]:
        """Fire with its exit status."""
        return self._ended.wait().addTimeout(20, reactor)


class Command(Twistd):
    """A C{tcworker} that runs."""

    program: ClassVar = ["-m", "tcworker"]


class TwistdTestCase(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        (self.folder / "tasks").mkdir(parents=True)
        self.settings: dict[str, Any] = {
            "rootURL": f"http://127.0.0.1:{free_port()}",
            "clientId": "c",
            "accessToken": "not-to-be-seen",
            "workerType": "w",
            "workerId": "i",
            "platforms": ["tcworker.testing.platform.FakePlatform"],
            "features": [],
        }

    def start(self, *arguments: str, **environ: str) -> Twistd:
        self.write_settings()
        self.twistd = Twistd(str(self.folder), *arguments, **environ)
        return self.twistd

    def write_settings(self) -> None:
        path = self.folder / "worker.yml"
        path.write_text(json.dumps(self.settings))
        path.chmod(0o600)

    def start_tcworker(self, *arguments: str, before: tuple[str, ...] = ()) -> Twistd:
        return self.start("-n", *before, "tcworker", "--config", "worker.yml", *arguments)

    async def tearDown(self) -> None:
        if self.twistd.process.pid:
            self.twistd.process.signalProcess("KILL")
        await self.twistd.ended()


class BadSettings(TwistdTestCase):
    async def test_all_faults_are_printed_and_nothing_starts(self) -> None:
        self.settings |= {"capacty": 2, "workerId": "a b", "accessToken": 5}
        twistd = self.start_tcworker()
        self.assertEqual(await twistd.ended(), 64)
        self.assertEqual(twistd.out[1], "")
        self.assertEqual(
            twistd.out[2].splitlines(),
            [
                "worker.yml: capacty: found an unknown key, expected perhaps capacity",
                "worker.yml: accessToken: found a number that is not shown, expected the client's access token",
                'worker.yml: workerId: found "a b", expected 1 to 38 letters, digits, - or _',
            ],
        )

    async def test_values_that_do_not_fit_have_a_status_of_their_own(self) -> None:
        self.settings["capacity"] = 0
        self.assertEqual(await self.start_tcworker().ended(), 73)

    async def test_a_state_directory_in_use(self) -> None:
        first = self.start_tcworker()
        await first.until(READY)
        second = Twistd(str(self.folder), "-n", "--pidfile=", "tcworker", "--config", "worker.yml")
        self.assertEqual(await second.ended(), 69)
        self.assertEqual(second.out[2].count(f"in use by the worker with process id {first.process.pid}"), 1)
        self.assertNotIn("Traceback", second.out[2])


class NoTaskcluster(TwistdTestCase):
    """Nobody listens at the root URL: the worker says so, keeps trying, and can be stopped."""

    async def stopped_by(self, *signals: str) -> int | None:
        twistd = self.start_tcworker()
        await twistd.until(READY)
        for name in signals:
            twistd.process.signalProcess(name)
        return await twistd.ended()

    async def test_it_is_named(self) -> None:
        await self.stopped_by("TERM")
        self.assertIn(f"no claim from {self.settings['rootURL']}, trying again", self.twistd.out[2])
        self.assertNotIn("not-to-be-seen", self.twistd.out[2])

    async def test_each_signal_has_its_exit_status(self) -> None:
        for name, status in (("TERM", 72), ("HUP", 72), ("INT", 71)):
            self.assertEqual(await self.stopped_by(name), status, name)
            self.assertFalse((self.folder / "twistd.pid").exists())


class TheLog(TwistdTestCase):
    async def log_of(self, *arguments: str, before: tuple[str, ...] = ()) -> Twistd:
        twistd = self.start_tcworker(*arguments, before=before)
        while not (self.folder / "twistd.pid").exists() or READY not in self.everything():
            await self.moment()
        twistd.process.signalProcess("TERM")
        await twistd.ended()
        return twistd

    def moment(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        reactor.callLater(0.05, waiting.callback, None)
        return waiting

    def everything(self) -> str:
        files = [path.read_text() for path in self.folder.glob("*.log")]
        return "".join([*files, *self.twistd.out.values()])

    async def test_it_is_text_on_stderr(self) -> None:
        twistd = await self.log_of()
        self.assertRegex(twistd.out[2], r"(?m)^\d{4}-\d\d-\d\dT[0-9:.]{12}Z warn \[tcworker\.claims\.claimer\] no c")
        self.assertEqual(twistd.out[1], "")

    async def test_it_can_be_json(self) -> None:
        twistd = await self.log_of("--log-format", "json")
        lines = [json.loads(line) for line in twistd.out[2].splitlines()]
        self.assertIn("tcworker.claims.claimer", [line["namespace"] for line in lines])

    async def test_it_goes_to_twistd_s_log_file(self) -> None:
        twistd = await self.log_of(before=("--logfile", "worker.log"))
        self.assertRegex((self.folder / "worker.log").read_text(), r"Z warn \[tcworker\.claims\.claimer\] no claim")
        self.assertEqual(twistd.out, {1: "", 2: ""})

    async def test_it_goes_to_stdout_when_asked(self) -> None:
        twistd = await self.log_of(before=("--logfile", "-"))
        self.assertIn("Z warn [tcworker.claims.claimer] no claim", twistd.out[1])

    async def test_somebody_s_own_observer_is_left_alone(self) -> None:
        twistd = await self.log_of(before=("--logger", "tests.test_tap.shouting_observer"))
        self.assertIn("NO CLAIM FROM", twistd.out[1])
        self.assertEqual(twistd.out[2], "")


def shouting_observer() -> Any:
    """Somebody's own log observer."""
    from twisted.logger import FileLogObserver, formatEvent

    def shout(event: Any) -> str:
        text = formatEvent(event)
        return f"{text.upper()}\n" + (f"# {READY}\n" if READY in text else "")

    return FileLogObserver(sys.__stdout__, shout)


class TacFiles(TwistdTestCase):
    async def test_a_worker_of_its_own(self) -> None:
        twistd = self.start("-ny", str(ROOT / "tac" / "worker.tac"))
        await twistd.until(READY)
        twistd.process.signalProcess("INT")
        self.assertEqual(await twistd.ended(), 71)

    async def test_a_worker_beside_a_web_site(self) -> None:
        port = free_port()
        twistd = self.start("-ny", str(ROOT / "tac" / "embedding.tac"), SITE=f"tcp:{port}:interface=127.0.0.1")
        await twistd.until(READY)
        response = await Agent(reactor).request(b"GET", f"http://127.0.0.1:{port}/".encode())
        self.assertEqual(await readBody(response), b"A worker lives here too.\n")
        twistd.process.signalProcess("TERM")
        await twistd.ended()
        self.assertIn("the service is being stopped", twistd.out[1])


class WithoutTwistd(TwistdTestCase):
    """C{tcworker worker} has the same signals, exit statuses and log."""

    async def status_after(self, name: str) -> int | None:
        self.write_settings()
        self.twistd = Command(str(self.folder), "worker", "--config", "worker.yml")
        await self.twistd.until(READY)
        self.twistd.process.signalProcess(name)
        return await self.twistd.ended()

    async def test_each_signal_has_its_exit_status(self) -> None:
        for name, status in (("TERM", 72), ("INT", 71)):
            self.assertEqual(await self.status_after(name), status, name)

    async def test_its_log_is_text_on_stderr(self) -> None:
        await self.status_after("TERM")
        self.assertRegex(self.twistd.out[2], r"Z warn \[tcworker\.claims\.claimer\] no claim")
        self.assertEqual(self.twistd.out[1], "")


class TheOptions(SynchronousTestCase):
    def test_several_files_in_their_order(self) -> None:
        options = Options()
        options.parseOptions(["--config", "a.yml", "-c", "b.yml"])
        self.assertEqual(options["configs"], ["a.yml", "b.yml"])

    def test_what_cannot_be_run(self) -> None:
        for arguments in ([], ["--config", "a.yml", "--log-format", "xml"], ["--config", "a.yml", "more"]):
            self.assertRaises(usage.UsageError, Options().parseOptions, arguments)
