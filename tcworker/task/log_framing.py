"""The worker's own lines in a task's log (contracts of generic-worker, 2); pure."""

from __future__ import annotations

from datetime import datetime

from tcworker.task.claim import write_date


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
    # Names of files may hold bytes that are no UTF-8: they must not keep a line out of the log.
    lines = message.rstrip("\n").split("\n")
    return "".join(f"{prefix}{line}\n" for line in lines).encode(errors="backslashreplace")


def cut(time: datetime, missing: int, limit: int) -> bytes:
    """Say that the middle of a log is not there."""
    text = f"{missing} bytes of the log are missing here: it is longer than the {limit} bytes that it may have"
    return b"\n" + warn(time, text)
