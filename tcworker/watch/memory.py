"""How much memory the machine has, and has left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """Of the whole machine, in bytes.

    @ivar available: what programs could still get, without anything being swapped out.
    """

    total: int
    available: int

    @property
    def used_percent(self) -> float:
        """How much of it is in use."""
        return 100 * (self.total - self.available) / self.total


def read_memory(path: str = "/proc/meminfo") -> Memory | None:
    """Ask the kernel; C{None} where it does not tell.

    It may be called in the reactor's thread: the kernel has these numbers in memory, and no disk is read.
    """
    try:
        with open(path, encoding="ascii") as file:
            sizes = dict(line.split(":", 1) for line in file)
        total, available = (int(sizes[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return None
    return Memory(total, available) if total else None
