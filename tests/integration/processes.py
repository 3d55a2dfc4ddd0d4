"""Commands in processes of their own, as people start them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tcworker.waiting import OneShot

BIN = os.path.dirname(sys.executable)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Command(ProcessProtocol):
    """A running command.

    @ivar output: what it has printed, both streams in their order of arrival.
    """

    def __init__(self, arguments: Sequence[str], folder: str = ROOT, *, environment: Mapping[str, str] = {}) -> None:
        self.output = ""
        self._ended: OneShot[int] = OneShot()
        self._expected: list[tuple[str, OneShot[None]]] = []
        environ = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment}
        program = os.path.join(BIN, arguments[0])
        self._process = reactor.spawnProcess(self, program, [program, *arguments[1:]], environ, folder)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.output += data.decode(errors="replace")
        for text, printed in self._expected:
            if text in self.output:
                printed.succeed(None)

    def processEnded(self, reason: Failure) -> None:
        status = 0 if reason.check(ProcessDone) else reason.value.exitCode  # type: ignore[union-attr]  # ProcessTerminated
        self._ended.succeed(-1 if status is None else status)
        for text, printed in self._expected:
            printed.fail(AssertionError(f"it ended without {text}: {self.output}"))

    @property
    def pid(self) -> int | None:
        """Its process's number; C{None} when it has ended."""
        return self._process.pid

    def until_printed(self, text: str) -> Deferred[None]:
        """Fire once a text has been printed."""
        printed = OneShot[None]()
        self._expected.append((text, printed))
        self.childDataReceived(1, b"")
        return printed.wait()

    def until_ended(self) -> Deferred[int]:
        """Fire with the exit status, -1 for a signal."""
        return self._ended.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self._process.signalProcess(number)

    def kill(self) -> Deferred[int]:
        """End it, if it has not ended."""
        with suppress(ProcessExitedAlready):
            self._process.signalProcess(signal.SIGKILL)
        return self.until_ended()


async def taskcluster_for(test: TestCase, folder: str, **times: float) -> Any:
    """Start a Taskcluster for a test; gives a worker's settings by which root calls it.

    @param times: as in L{tcworker.embedded.times.Times}.
    """
    program = (os.path.basename(sys.executable), "-m", "tests.taskcluster_server")
    server = Command([*program, folder, json.dumps({"dependencies": 0.1, **times})], environment={"PYTHONPATH": ROOT})
    test.addCleanup(server.kill)
    await server.until_printed("}\n")
    return json.loads(server.output.strip().splitlines()[-1])
