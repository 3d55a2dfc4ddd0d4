"""The lines about each command in the log of a task (contracts of generic-worker, section 2)."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from tcworker.interfaces import CommandRecord, ExitStatus
from tcworker.launcher.wire import Message
from tcworker.task.verdict import signal_name


def opening(index: int, argv: Sequence[str]) -> str:
    """What is printed before a command."""
    # Arguments may be bytes that are no text.
    shown = shlex.join(argv).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f"Executing command {index}: {shown}"


def closing(command: CommandRecord, killed: str | None = None) -> str:
    """What is printed after a command, several lines; C{killed}: why the worker ended it, if it did."""
    rows = [
        ("Exit Code", _exit(command.exit)),
        ("User Time", _seconds(command.user)),
        ("Kernel Time", _seconds(command.system)),
        ("Wall Time", _seconds(command.wall)),
        ("Peak Memory", _peak(command)),
        ("Result", "ABORTED" if killed else "SUCCEEDED" if command.exit.success else "FAILED"),
    ]
    width = max(len(label) for label, _ in rows)
    lines = [f"{label:>{width}}: {value}" for label, value in rows]
    return "\n".join([f"Command ABORTED after {_seconds(command.wall)}: {killed}", *lines] if killed else lines)


def not_started(command: CommandRecord) -> str:
    """What is printed instead, when a command could not be started."""
    return f"Command could not be started: {command.problem}"


def failure(end: Message) -> str:
    """Why a program failed that is no command of the task, from what its supervisor says of its end."""
    if why := end.get("broken") or end["problem"]:
        return str(why)
    return f"exit code {_exit(ExitStatus(end['status'], end['signal']))}"


def _exit(ended: ExitStatus) -> str:
    if ended.signal is None:
        return str(ended.status)
    return f"none, killed by {signal_name(ended.signal)}"


def _peak(command: CommandRecord) -> str:
    if command.peak < command.least_peak:
        return f"less than {math.ceil(command.least_peak / 2**20)} MiB"
    return f"{command.peak / 2**20:.1f} MiB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s"
