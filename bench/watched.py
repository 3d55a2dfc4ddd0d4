"""A worker's process: started from a command line, watched while it runs, measured when it is gone. Linux only."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

MEGABYTE = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")


class WatchedProcess:
    """A process and all that it starts.

    @ivar peak: bytes, the most that the process itself had in memory.
    @ivar peak_with_helpers: bytes, the most that was seen of it and its descendants together; what they share counts
        for each.
    @ivar cpu: seconds, of it and of every descendant that was waited for; once it is gone.
    """

    def __init__(self, command: str, places: Mapping[str, str]) -> None:
        words = [fill(word, places) for word in shlex.split(command)]
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
        self.peak = self.peak_with_helpers = 0
        self.cpu: float | None = None
        self.exit_status: int | None = None

    @property
    def pid(self) -> int:
        """Of the process itself."""
        return self._process.pid

    def look(self) -> bool:
        """Measure; says whether it still runs."""
        if self.exit_status is not None:
            return False
        self._measure_memory()
        pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if not pid:
            return True
        self.cpu = usage.ru_utime + usage.ru_stime
        self.exit_status = self._process.returncode = os.waitstatus_to_exitcode(status)
        return False

    def end(self, patience: float) -> None:
        """Wait for its end, which is asked for after C{patience} seconds and forced half a minute later."""
        for sign, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 30.0)):
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if not self.look():
                    return
                time.sleep(0.02)
            self._process.send_signal(sign)
        while self.look():
            time.sleep(0.02)

    def _measure_memory(self) -> None:
        own = _status(self._process.pid)
        self.peak = max(self.peak, own.get("VmHWM", 0))
        together = sum(_status(pid).get("VmRSS", 0) for pid in family(self._process.pid))
        self.peak_with_helpers = max(self.peak_with_helpers, together)


def fill(word: str, places: Mapping[str, str]) -> str:
    """Put values in the places of a word, C{{config}} for example."""
    return re.sub(r"\{(\w+)\}", lambda place: places.get(place[1], place[0]), word)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in family(int(child)))]


def _status(pid: int) -> Mapping[str, int]:
    """Sizes of a process, in bytes."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    return {name: int(size) * 1024 for name, size in re.findall(r"^(Vm\w+):\s+(\d+) kB", text, re.MULTILINE)}
