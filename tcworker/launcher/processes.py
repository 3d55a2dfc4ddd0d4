"""The processes of one run, from their fork to their last word."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping, Sequence

from tcworker.launcher.child import Problem, Surroundings, execute
from tcworker.launcher.system import System
from tcworker.launcher.wire import Message

_EXIT_BY_KILL = 128 + signal.SIGKILL


class Process:
    """A process that we started.

    @ivar pipe: its end says why the process did not start, and closes when it did; C{None} once read.
    @ivar problem: what it said.
    @ivar memory_kills: what the count of the machine was before it.
    """

    problem: Problem | None = None

    def __init__(self, pid: int, pipe: int, memory_kills: int) -> None:
        self.pid, self.memory_kills = pid, memory_kills
        self.pipe: int | None = pipe
        self.began = time.monotonic()

    def read_problem(self) -> None:
        """Wait until it runs or cannot be started."""
        if self.pipe is not None:
            with open(self.pipe, "rb") as pipe:
                said = pipe.read()
            self.problem = Problem.decode(said) if said else None
            self.pipe = None

    def kill_group(self) -> None:
        """Kill it and its process group; only while it is not reaped, so that no stranger dies."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:
            os.kill(self.pid, signal.SIGKILL)


class Processes:
    """All processes below this one, which is a subreaper where there are any.

    @param surroundings: see L{Surroundings}.
    """

    def __init__(self, system: System, surroundings: Surroundings) -> None:
        self._system, self._surroundings = system, surroundings
        self._ours: dict[int, Process] = {}
        self._leaders: set[int] = set()
        self._killing = False
        self._stranger_killed = False

    def start(self, argv: Sequence[str], env: Mapping[str, str], stdio: Sequence[int]) -> Process:
        """Start a process; see L{execute}. Raises C{OSError} when there can be none."""
        reading, writing = os.pipe()
        memory_kills = self._system.memory_kills()
        try:
            pid = self._system.fork_into(self._surroundings.group)
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if pid == 0:
            execute(self._system, self._surroundings, argv, env, stdio, writing)
        os.close(writing)
        process = self._ours[pid] = Process(pid, reading, memory_kills)
        self._leaders.add(pid)
        return process

    def reap(self) -> Iterator[tuple[Process, Message]]:
        """Bury who is dead, and say how those ended that we started."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return
                process = self._ours.pop(pid, None)
                if process is not None:
                    yield process, self._describe(process, os.waitstatus_to_exitcode(status), usage)
                elif os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
                    self._stranger_killed = True

    @property
    def alone(self) -> bool:
        """Whether nobody is left, dead ones not yet buried included."""
        return not self._system.anybody_left(self._leaders)

    def terminate(self) -> None:
        """Ask all to end."""
        self._system.signal_all(os.getpid(), self._leaders, signal.SIGTERM)

    def kill(self) -> Iterator[tuple[Process, Message]]:
        """Kill all, and say of those that we started how they ended; at the end nobody is left."""
        self._killing = True
        # Somebody who is being born, or waits for a disk, may need another round.
        pause = 0.0005
        while not self.alone:
            self._system.kill_all(os.getpid(), self._leaders, self._surroundings.group)
            yield from self.reap()
            if self.alone:
                return
            time.sleep(pause)
            pause = min(2 * pause, 0.05)

    def _describe(self, process: Process, code: int, usage: resource.struct_rusage) -> Message:
        return {
            "status": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "user": usage.ru_utime,
            "system": usage.ru_stime,
            "wall": time.monotonic() - process.began,
            "peak": usage.ru_maxrss * 1024,
            "outOfMemory": self._out_of_memory(process, code),
        }

    def _out_of_memory(self, process: Process, code: int) -> bool:
        """Whether the kernel killed for want of memory meanwhile, and somebody here died as by that."""
        if self._killing or self._system.memory_kills() == process.memory_kills:
            return False
        return self._stranger_killed or code in (-signal.SIGKILL, _EXIT_BY_KILL)
