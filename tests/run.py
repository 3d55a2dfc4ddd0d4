"""Runs the suite with trial, and closes with one plain line of numbers that machines understand."""

from __future__ import annotations

import os
import re
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from tests import leftovers
from tests.leftovers import Process

LOGS = Path("_trial_temp")

MARK = "TCWORKER_TESTS"
"""In the environment of all that the tests start."""

PATIENCE = 20.0
"""How long trial may take to end after its closing line, in seconds."""

SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((?P<counts>[^)]*)\))?$")


def read_summary(line: str) -> Mapping[str, int] | None:
    """The numbers of trial's closing line, C{None} for any other line."""
    found = SUMMARY.match(line.strip())
    if found is None:
        return None
    pairs = (part.split("=") for part in (found["counts"] or "").split(", ") if part)
    return {name: int(count) for name, count in pairs}


def plain(counts: Mapping[str, int]) -> str:
    """The closing line: a test that was expected to fail and did is neither."""
    passed = counts.get("successes", 0)
    failed = sum(counts.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses"))
    line = f"{passed} passed, {failed} failed"
    return f"{line}, {counts['skips']} skipped" if counts.get("skips") else line


def never_awaited(logs: Iterable[Path]) -> list[str]:
    """Lines that tell of a coroutine that was never awaited: its test passed without running."""
    return [
        line for log in logs for line in log.read_text(errors="replace").splitlines() if "was never awaited" in line
    ]


def lines_of(source: int, seconds_left: Callable[[], float | None]) -> Iterator[str]:
    """Yield what can be read, line by line, until its end or until no time is left."""
    rest = b""
    while select.select([source], [], [], seconds_left())[0] and (data := os.read(source, 2**16)):
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


class Trial:
    """Runs trial in a process group of its own, and ends it some time after its closing line at the latest.

    A thread or a child that a test leaves behind would else keep it from ending for ever.

    @param patience: how long it may take to end, in seconds.
    @ivar counts: the numbers of its closing line.
    @ivar left: what had to be killed.
    """

    def __init__(self, arguments: Sequence[str], patience: float) -> None:
        self.counts: Mapping[str, int] = {}
        self.left: Sequence[Process] = ()
        self._arguments = arguments
        self._patience = patience
        self._end: float | None = None

    def run(self) -> int:
        """Show what it prints, and give its exit status; that of a killed one is not 0."""
        command = [sys.executable, "-m", "twisted.trial", "-j2", "--temp-directory", str(LOGS), *self._arguments]
        mark = secrets.token_hex()
        environment = {**os.environ, MARK: mark}
        trial = subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0, env=environment)
        patience = 0.0
        try:
            self._show(trial)
            patience = self._seconds_left() or 0
        finally:
            # Also when this process is to end: its signals do not reach another group.
            self.left = leftovers.end(trial.pid, f"{MARK}={mark}", patience)
        return trial.wait()

    def _show(self, trial: subprocess.Popen[bytes]) -> None:
        assert trial.stdout is not None
        with trial.stdout as output:
            for line in lines_of(output.fileno(), self._seconds_left):
                print(line, flush=True)
                self._read(line)

    def _read(self, line: str) -> None:
        counts = read_summary(line)
        if counts is not None:
            self.counts = counts
            self._end = time.monotonic() + self._patience

    def _seconds_left(self) -> float | None:
        return None if self._end is None else max(0, self._end - time.monotonic())


def main(arguments: list[str], patience: float) -> int:
    """Run the tests named, all by default; the exit status is trial's, or 1 for a test that did not really run."""
    trial = Trial(arguments or ["tests"], patience)
    status = trial.run()
    for line in (unawaited := never_awaited(LOGS.glob("**/*.log"))):
        print(line)
    for process in trial.left:
        print(f"killed what the tests left behind: {process.pid} {process.command}")
    print(plain(trial.counts) if trial.counts else "0 passed, 1 failed")
    return status or bool(unawaited) or not trial.counts


def run(arguments: list[str], patience: float = PATIENCE) -> NoReturn:
    """Run the tests as this process, which ends with them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(arguments, patience))


if __name__ == "__main__":
    run(sys.argv[1:])
