"""The worker's own lines in a task's log (contracts of generic-worker, 2); pure."""

from __future__ import annotations

import re
from datetime import datetime

from tcworker.task.claim import write_date

LONGEST_LINE = 16 * 1024
"""Characters of a line of the worker; what is longer is cut."""

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor or its colours, or is the end of a line to some readers."""


def info(time: datetime, message: str) -> bytes:
    """Frame what the worker says."""
    return _frame(f"[taskcluster {write_date(time)}] ", message)


def warn(time: datetime, message: str) -> bytes:
    """Frame what may be wrong."""
    return _frame(f"[taskcluster:warn {write_date(time)}] ", message)


def error(message: str) -> bytes:
    """Frame what is wrong; Treeherder looks for lines of this form."""
    return _frame("[taskcluster:error] ", message)


def _frame(prefix: str, message: str) -> bytes:
    lines = message.rstrip("\n").split("\n")
    # Names of files may hold bytes that are no UTF-8: they must not keep a line out of the log.
    return "".join(f"{prefix}{_harmless(line)}\n" for line in lines).encode(errors="backslashreplace")


def _harmless(line: str) -> str:
    """Write what a task may have brought into a line so that it stays in that line, and on the reader's screen."""
    if len(line) > LONGEST_LINE:
        line = f"{line[:LONGEST_LINE]}… ({len(line) - LONGEST_LINE} more characters)"
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), line)


def cut(time: datetime, missing: int, limit: int) -> bytes:
    """Say that the middle of a log is not there."""
    text = f"{missing} bytes of the log are missing here: it is longer than the {limit} bytes that it may have"
    return b"\n" + warn(time, text)


def so_far(time: datetime, missing: int) -> bytes:
    """Say that a log goes on, and how much was printed already that is not in it."""
    more = f"; {missing} bytes more were printed already" if missing else ""
    return info(time, f"the task was still running when its log was as long as this{more}")
