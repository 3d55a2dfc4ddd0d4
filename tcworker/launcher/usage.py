"""What a run uses of the machine; only for Linux."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable
from typing import TypedDict

from tcworker.launcher import proc
from tcworker.launcher.cgroups import inhabitants
from tcworker.launcher.group import Group

_BLOCK = 512
"""Bytes of what the kernel counts of the dead."""


class Used(TypedDict):
    """See L{tcworker.interfaces.Usage}."""

    cpu: float
    memory: int
    disk: int
    processes: int


class Meter:
    """Measures a run from now on, by its group where that tells, else by its processes; without this process.

    Asking each process costs 10 microseconds or more a question, so what a group tells is not asked of them.

    @param shm: a file system in memory that the run alone has.
    """

    def __init__(self, group: Group, shm: str | None = None) -> None:
        self._group, self._shm = group, shm
        # A supervisor has many runs.
        self._memory_before = group.memory()
        self._cpu_before = self._cpu(())
        self._disk_before = self._disk(())
        self._most_cpu = 0.0

    def measure(self) -> Used:
        """What the run uses. Raises C{OSError} if its group is gone."""
        pids = self._living()
        # What nobody waited for is lost to the count with its process.
        self._most_cpu = max(self._most_cpu, self._cpu(pids) - self._cpu_before)
        disk = max(0, self._disk(pids) - self._disk_before)
        return Used(cpu=self._most_cpu, memory=self._memory(pids), disk=disk, processes=len(pids))

    def _living(self) -> list[int]:
        for folder in self._group.folders:
            return [pid for pid in inhabitants(folder) if pid != os.getpid()]
        return list(proc.descendants(os.getpid()))

    def _cpu(self, pids: Iterable[int]) -> float:
        for cell in self._group.cells:
            if cell.version.counts_cpu(cell.folder):
                return cell.version.cpu(cell.folder) - time.process_time()
        buried = resource.getrusage(resource.RUSAGE_CHILDREN)
        living = sum(known.cpu for pid in pids if (known := proc.fields(pid)))
        return buried.ru_utime + buried.ru_stime + living

    def _memory(self, pids: Iterable[int]) -> int:
        if self._group.limits_memory:
            return max(0, self._group.memory() - self._memory_before)
        found = [proc.memory(pid) for pid in pids]
        # How much of what they share is the same nobody tells: it is as much at least as the largest of them has.
        shared = max((each.shared for each in found), default=0)
        return sum(each.own for each in found) + max(shared, self._files_in_memory())

    def _files_in_memory(self) -> int:
        if self._shm is None:
            return 0
        whole = os.statvfs(self._shm)
        return (whole.f_blocks - whole.f_bfree) * whole.f_frsize

    def _disk(self, pids: Iterable[int]) -> int:
        buried = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (buried.ru_inblock + buried.ru_oublock) * _BLOCK + sum(map(proc.disk, pids))
