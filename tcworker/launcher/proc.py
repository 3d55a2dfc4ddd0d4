"""What /proc says of processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

_MOST = 1 << 14
"""Bytes of a file about one process that are looked at."""

_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Fields(NamedTuple):
    """What is known of a process.

    @ivar threads: how many it has, the first one included though that may have ended.
    @ivar start: when it started, in the kernel's own count.
    @ivar cpu: seconds of processor time of it and of those children that it buried.
    """

    state: bytes
    parent: int
    threads: int
    start: str
    cpu: float

    @property
    def lives(self) -> bool:
        """Whether it still does anything; who is dead waits to be buried."""
        # One whose first thread has ended looks dead, though the others go on.
        return self.state not in (b"Z", b"X") or self.threads > 1


def fields(pid: int) -> Fields | None:
    """What is known of a process, C{None} if there is none."""
    try:
        # What stands before the state may hold blanks and brackets.
        found = _read(pid, "stat").rpartition(b")")[2].split()
    except OSError:
        return None
    cpu = sum(map(int, found[11:15])) * _TICK
    return Fields(found[0], int(found[1]), int(found[17]), found[19].decode(), cpu) if found else None


class Memory(NamedTuple):
    """What a process has in memory that is in no file of a disk, in bytes.

    @ivar own: what is its own.
    @ivar shared: what others may have in common with it: files in memory, and what processes made to share.
    """

    own: int
    shared: int


def memory(pid: int) -> Memory:
    """What a process has in memory, nothing if there is none."""
    try:
        text = _read(pid, "status")
    except OSError:
        return Memory(0, 0)
    return Memory(*(_kilobytes(text, name) << 10 for name in (b"RssAnon", b"RssShmem")))


def _kilobytes(text: bytes, name: bytes) -> int:
    # A whole table of all lines takes longer, and a dying process has no such lines.
    found = text.partition(b"\n" + name + b":")[2].split(maxsplit=1)
    return int(found[0]) if found else 0


def disk(pid: int) -> int:
    """Bytes that a process and those children that it buried read from disks and wrote to them; 0 if nobody says."""
    try:
        counts = dict(line.split(b": ") for line in _read(pid, "io").splitlines())
    except (OSError, ValueError):
        return 0
    return int(counts.get(b"read_bytes", 0)) + int(counts.get(b"write_bytes", 0))


def processes() -> Iterator[tuple[int, int]]:
    """All living processes, each with its parent."""
    # The kernel can tell the children of a process too, but only where it was built to.
    for name in os.listdir("/proc"):
        if name.isdigit() and (known := fields(int(name))) and known.lives:
            yield int(name), known.parent


def descendants(root: int) -> set[int]:
    """All living processes that come from one."""
    children: dict[int, list[int]] = {}
    for pid, parent in processes():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    new = children.get(root, [])
    while new:
        found.update(new)
        new = [child for pid in new for child in children.get(pid, ()) if child not in found]
    return found


def _read(pid: int, name: str) -> bytes:
    descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _MOST)
    finally:
        os.close(descriptor)
