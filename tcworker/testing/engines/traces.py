"""What this process and its children have open just now; on systems without /proc, less of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def descriptors() -> Sequence[str]:
    """What the descriptors of this process lead to; sockets and pipes without their numbers."""
    return sorted(_descriptors())


def processes() -> Sequence[str]:
    """The descendants of this process, as C{pid command}."""
    parents = dict(_parents())
    return sorted(f"{pid} {_command(pid)}" for pid in parents if _descends(pid, parents))


def processes_with(marker: str) -> Sequence[str]:
    """The living processes of this machine that have a marker in their command line."""
    return [f"{pid} {_command(pid)}" for pid in _pids() if marker in _command(pid)]


def threads() -> Sequence[str]:
    """The threads of this process, but for those of the reactor's own pool, which come and go as it likes."""
    names = (thread.name for thread in threading.enumerate())
    return sorted(name for name in names if "twisted.internet.reactor" not in name)


def _descriptors() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd") if _PROC.exists() else []:
        # The one that listed the folder is gone by now.
        with suppress(FileNotFoundError):
            yield os.readlink(f"/proc/self/fd/{name}").partition(":[")[0]


def _pids() -> Iterator[int]:
    if _PROC.exists():
        yield from (int(name) for name in os.listdir(_PROC) if name.isdigit())


def _parents() -> Iterator[tuple[int, int]]:
    for pid in _pids():
        with suppress(OSError):
            # The name of a process may have blanks and brackets in it.
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            yield pid, int(fields[1])


def _descends(pid: int, parents: dict[int, int]) -> bool:
    while pid := parents.get(pid, 0):
        if pid == os.getpid():
            return True
    return False


def _command(pid: int) -> str:
    with suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""
