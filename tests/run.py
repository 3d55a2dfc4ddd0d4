"""Runs the suite with trial, and closes with one plain line of numbers that machines understand."""

from __future__ import annotations

import os
import re
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from tests import leftovers, ordinary
from tests.leftovers import Process

LOGS = Path("_trial_temp")

EVERYTHING = ("tests",)

FOR_ORDINARY_USERS = (
    "tests.engine",
    "tests.extract",
    "tests.feature",
    "tests.integration.test_outcomes",
    "tests.integration.test_outcomes_exceptions",
    "tests.integration.test_outcomes_malformed",
    "tests.launcher",
    "tests.local_run",
    "tests.task",
    "tests.test_removal",
    "tests.testing",
)
"""What behaves otherwise for root, who runs all else: he runs these once more, as somebody who may less."""

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


Become = Callable[[Sequence[str]], Sequence[str]]


def _as_we_are(arguments: Sequence[str]) -> Sequence[str]:
    return [sys.executable, *arguments]


class Trial:
    """Runs trial in a process group of its own, and ends it some time after its closing line at the latest.

    A thread or a child that a test leaves behind would else keep it from ending for ever.

    @param patience: how long it may take to end, in seconds.
    @param logs: its temporary folder.
    @param become: makes the command that runs one of Python's as somebody else.
    @ivar counts: the numbers of its closing line.
    @ivar left: what had to be killed.
    """

    def __init__(self, tests: Sequence[str], patience: float, logs: Path = LOGS, become: Become = _as_we_are) -> None:
        self.counts: Mapping[str, int] = {}
        self.left: Sequence[Process] = ()
        self._command = become(["-m", "twisted.trial", "-j2", "--temp-directory", str(logs), *tests])
        self._logs = logs
        self._patience = patience
        self._end: float | None = None

    def run(self) -> int:
        """Show what it prints, and give its exit status; that of a killed one is not 0."""
        mark = secrets.token_hex()
        environment = {**os.environ, MARK: mark}
        trial = subprocess.Popen(self._command, stdout=subprocess.PIPE, process_group=0, env=environment)
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

    def judge(self) -> int:
        """Run it, say what was wrong beside its tests, and give its exit status, or 1 for a test that did not run."""
        status = self.run()
        # Of trial and of its workers; below them a test may have nested folders deeper than any path.
        logs = (log for place in ("*.log", "*/*.log") for log in self._logs.glob(place))
        for line in (unawaited := never_awaited(logs)):
            print(line)
        for process in self.left:
            print(f"killed what the tests left behind: {process.pid} {process.command}")
        ran = bool(self.counts)
        # One that had nothing to do, or was killed before it said anything.
        self.counts = self.counts or {"errors": 1}
        return status or int(bool(unawaited) or not ran)


def main(arguments: Sequence[str], patience: float) -> int:
    """Run the tests named, all by default, and close with their numbers; 0 if all is well.

    Root runs the engine's part of all of them as an ordinary user too.
    """
    trial = Trial(arguments or EVERYTHING, patience)
    status = trial.judge()
    counts = Counter(trial.counts)
    if not arguments and os.geteuid() == 0:
        other_status, other_counts = as_ordinary_user(patience)
        status, counts = status or other_status, counts + Counter(other_counts)
    print(plain(counts))
    return status


def as_ordinary_user(patience: float) -> tuple[int, Mapping[str, int]]:
    """Run what behaves otherwise for root as somebody else; give its exit status and its numbers."""
    if not ordinary.possible():
        print("Not run as an ordinary user: nobody may have a mount namespace of their own here.")
        return 0, {}
    with tempfile.TemporaryDirectory(prefix="tcworker-ordinary-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        become = partial(ordinary.command, folder)
        trial = Trial(FOR_ORDINARY_USERS, patience, folder / "home" / "trial", become)
        status = trial.judge()
        print(f"as an ordinary user: {plain(trial.counts)}", flush=True)
        return status, trial.counts


def run(arguments: list[str], patience: float = PATIENCE) -> NoReturn:
    """Run the tests as this process, which ends with them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(arguments, patience))


if __name__ == "__main__":
    run(sys.argv[1:])
