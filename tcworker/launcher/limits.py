"""What one task may have of the machine."""

from __future__ import annotations

import resource
from typing import NamedTuple

_MEGA = 20
"""A MB has two to the power of this bytes."""


class Limits(NamedTuple):
    """What one task may have of the machine; C{None} for all that there is.

    @ivar memory: bytes.
    @ivar pids: processes and threads.
    @ivar cpus: processors, of which it may be a part.
    @ivar files: what each of its processes may have open, unless it allows itself more (a soft limit); C{None} for as
        many as the launcher may.
    """

    memory: int | None = None
    pids: int | None = None
    cpus: float | None = None
    files: int | None = None

    @classmethod
    def of_megabytes(cls, memory: int | None, pids: int | None, cpus: float | None) -> Limits:
        """Limits as people write them, memory in MB."""
        return cls(None if memory is None else memory << _MEGA, pids, cpus)

    @property
    def megabytes(self) -> int | None:
        """The memory in MB."""
        return None if self.memory is None else self.memory >> _MEGA

    @property
    def controllers(self) -> frozenset[str]:
        """The controllers of control groups that keep them."""
        values = {"memory": self.memory, "pids": self.pids, "cpu": self.cpus}
        return frozenset(name for name, value in values.items() if value is not None)

    def keep_files(self) -> None:
        """Have this process, and what it starts, keep to the limit of open files."""
        if self.files is not None:
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, hard))


NO_LIMITS = Limits()


class CannotLimit(Exception):
    """Limits cannot be kept here; the text says why, and what to do."""
