"""Processes that a measurement starts: what they print and take, and that none of them outlives it. Linux only."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from watched import MEGABYTE, family

from tcworker.launcher.linux import become_subreaper


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Fail with L{TimeoutError} when the time is over; in any case kill what the block leaves of its processes."""

    def over(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it took more than {seconds:g} s")

    become_subreaper()
    signal.signal(signal.SIGALRM, over)
    # Again later, for the block may also wait for ever while it cleans up.
    signal.setitimer(signal.ITIMER_REAL, seconds, 30)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _end_descendants()


def _end_descendants() -> None:
    """Kill and reap until nobody is left: who loses a parent becomes a child of ours."""
    while descendants := family(os.getpid())[1:]:
        for pid in descendants:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.02)


def output(command: Sequence[str], folder: Path) -> str:
    """What a command prints; its temporary files are in the folder, which is removed. Raises L{OSError} if it fails."""
    environ = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, env=environ, text=True, errors="replace"
    )
    if done.returncode:
        raise OSError(f"{shlex.join(command)} ended with {done.returncode}: {done.stderr[-400:]}")
    return done.stdout


def cpu_seconds(processes: Sequence[int]) -> float:
    """User and system time, so far."""
    # What follows the name, which is in brackets and may have anything in it; proc(5) counts from the pid.
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in processes]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def memory(processes: Sequence[int], kind: str) -> float:
    """MB that processes have together, by a line of their C{smaps_rollup}: C{Pss} or C{Rss}."""
    return sum(_size(Path(f"/proc/{pid}/smaps_rollup").read_text(), kind) for pid in processes) / MEGABYTE


def _size(text: str, kind: str) -> int:
    found = re.search(rf"^{kind}: +(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
