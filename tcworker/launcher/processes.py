"""The processes of one run, from their fork to their last word."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from tcworker.launcher.child import Surroundings, start
from tcworker.launcher.group import Group
from tcworker.launcher.strangers import kill_all_of
from tcworker.launcher.system import System
from tcworker.launcher.wire import Message

_HELPER_PATIENCE = 3.0
"""Seconds that a helper may take to end."""

_INEXACT = 1 << 20
"""Bytes by which the kernel may be wrong, for it counts for each processor."""

_EXIT_BY_KILL = 128 + signal.SIGKILL


class Process:
    """A process that we started.

    @ivar memory_kills: what the count of the machine was before it.
    @ivar least_peak: the most memory that it may have had before it became the command, in bytes: ours.
    """

    def __init__(self, started: subprocess.Popen[bytes], memory_kills: int) -> None:
        self._started = started
        self.pid, self.memory_kills = started.pid, memory_kills
        self.began = time.monotonic()
        self.least_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + _INEXACT

    def ended(self, code: int) -> None:
        """It was reaped, with this code as L{subprocess} has it (which would reap it otherwise)."""
        self._started.returncode = code

    def kill_group(self) -> None:
        """Kill it and its process group; only while it is not reaped, so that no stranger dies."""
        try:
            # It may not have made its own group yet, or have left it.
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:
            os.kill(self.pid, signal.SIGKILL)


class Processes:
    """All processes below this one, which is a subreaper where there are any.

    @param surroundings: see L{Surroundings}.
    """

    def __init__(self, system: System, group: Group, surroundings: Surroundings) -> None:
        self._system, self._group, self._surroundings = system, group, surroundings
        self._ours: dict[int, Process] = {}
        self._leaders: set[int] = set()
        self._helpers: set[int] = set()
        self._killing = False
        self._orphan_killed = False
        # A group has many runs.
        self._exceeded_before = group.exceeded()

    def start(self, argv: Sequence[str], env: Mapping[str, str], stdio: Sequence[int]) -> Process:
        """Start a process; see L{start}. Raises L{tcworker.launcher.child.CannotStart}."""
        # Before the start, so that none is missed; those before it are none of ours.
        memory_kills = self._system.memory_kills()
        with self._system.expendable():
            process = Process(start(self._surroundings, argv, env, stdio), memory_kills)
        self._ours[process.pid] = process
        self._leaders.add(process.pid)
        return process

    def fork_helper(self) -> int:
        """Fork a process that is no part of the task. Raises C{OSError}."""
        # Also who opens files for the task goes before us when memory is out.
        with self._system.expendable():
            pid = os.fork()
        if pid:
            self._helpers.add(pid)
        return pid

    def kill_strangers(self) -> None:
        """Kill those that have the task's user but are none of our descendants: what others started for it.

        Only if that user is the run's alone.
        """
        account = self._surroundings.account
        if account is None or not self._surroundings.own_user:
            return
        with contextlib.suppress(OSError):
            pid = self.fork_helper()
            if pid == 0:
                kill_all_of(account)
            # Whatever the task does to it, we go on.
            self._wait_for_helper(pid)

    def end_helpers(self) -> None:
        """Let no helper be left. Raises C{TimeoutError} if one does not die."""
        for pid in self._helpers.copy():
            os.kill(pid, signal.SIGKILL)
            # Not by the signal of its death: nobody would look for that any more.
            if not self._wait_for_helper(pid):
                raise TimeoutError(f"process {pid}, which opened files of a task, does not die although it was killed")

    def _wait_for_helper(self, pid: int) -> bool:
        """Wait some seconds for its end, and bury it; whether it ended."""
        until, pause = time.monotonic() + _HELPER_PATIENCE, 0.0002
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if time.monotonic() > until:
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        self._helpers.discard(pid)
        return True

    def reap(self) -> Iterator[tuple[Process, Message]]:
        """Bury who is dead, and say how those ended that we started."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return
                self._helpers.discard(pid)
                process, code = self._ours.pop(pid, None), os.waitstatus_to_exitcode(status)
                if process is not None:
                    process.ended(code)
                    yield process, self._describe(process, code, usage)
                elif code == -signal.SIGKILL:
                    self._orphan_killed = True

    @property
    def nobody_left(self) -> bool:
        """Whether nobody is left, dead ones not yet buried included."""
        # Whom we forked ourselves we know without asking: not every system can look at the dead without reaping them.
        return not (self._ours or self._helpers or self._system.anybody_left(self._leaders))

    @property
    def exceeded(self) -> list[str]:
        """The limits that the run met, by the names of their controllers: C{memory}, C{pids}."""
        return [name for name, count in self._group.exceeded().items() if count > self._exceeded_before[name]]

    def terminate(self) -> None:
        """Ask all to end."""
        self._system.signal_all(os.getpid(), self._leaders, signal.SIGTERM)

    def kill(self) -> Iterator[tuple[Process, Message]]:
        """Kill all, and say of those that we started how they ended; at the end nobody is left."""
        # Those who are dead already need no more than to be buried.
        yield from self.reap()
        self._killing = True
        # Somebody who is being born, or waits for a disk, may need another round.
        pause = 0.0005
        while not self.nobody_left:
            self._group.kill()
            self._system.kill_all(os.getpid(), self._leaders)
            yield from self.reap()
            if self.nobody_left:
                return
            time.sleep(pause)
            pause = min(2 * pause, 0.05)

    def _describe(self, process: Process, code: int, usage: resource.struct_rusage) -> Message:
        # The kernel keeps the mark over the exec: a small command's is that of us, who started it.
        peak, least = usage.ru_maxrss * 1024, process.least_peak
        return {
            "status": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "user": usage.ru_utime,
            "system": usage.ru_stime,
            "wall": time.monotonic() - process.began,
            "peak": peak if peak > least else 0,
            "leastPeak": least,
            "outOfMemory": self._out_of_memory(process, code),
            "exceeded": self.exceeded,
        }

    def _out_of_memory(self, process: Process, code: int) -> bool:
        """Whether the kernel killed for want of memory meanwhile, and somebody here died as by that."""
        if self._group.limits_memory:
            return "memory" in self.exceeded
        # Reading the count costs more than the rest of an ordinary end.
        if self._killing or not (self._orphan_killed or code in (-signal.SIGKILL, _EXIT_BY_KILL)):
            return False
        return self._system.memory_kills() != process.memory_kills
