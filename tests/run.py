"""Runs the suite with trial, and closes with one plain line of numbers that machines understand."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

LOGS = Path("_trial_temp")

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


def run_trial(arguments: list[str]) -> tuple[int, Mapping[str, int]]:
    """Run trial, show what it prints, and give its exit status and its numbers."""
    command = [sys.executable, "-m", "twisted.trial", "-j2", "--temp-directory", str(LOGS), *arguments]
    counts: Mapping[str, int] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as trial:
        assert trial.stdout is not None
        for line in trial.stdout:
            print(line, end="", flush=True)
            counts = read_summary(line) or counts
    return trial.returncode, counts


def main(arguments: list[str]) -> int:
    """Run the tests named, all by default; the exit status is trial's, or 1 for a test that did not really run."""
    status, counts = run_trial(arguments or ["tests"])
    for line in (unawaited := never_awaited(LOGS.glob("**/*.log"))):
        print(line)
    print(plain(counts) if counts else "0 passed, 1 failed")
    return status or bool(unawaited) or not counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
