"""One run: starts its commands when told, gathers their output, and lets nothing outlive it.

What the worker sends (C{do}) and is answered (C{event}):

 - at first, C{{event: started, pid, startTime, group}};
 - C{{do: run, argv}}: C{{event: ended, status, signal, user, system, wall, peak, outOfMemory, problem}}, its output
   being in the log (C{problem}: why it could not be started); or C{{event: ended, broken}}, which is not its fault;
 - C{{do: exec, key, argv, env}} with one descriptor (a terminal) or three: C{{event: exec-started, key}} or
   C{{event: exec-failed, key, problem}}, and at its end C{{event: exec-ended, key, status, signal}};
 - C{{do: exec-kill, key}}: no answer;
 - C{{do: append, data}}: lines for the log (bytes as latin-1); no answer;
 - C{{do: kill, grace}}: SIGTERM, SIGKILL after so many seconds; no answer but the ends of those that die;
 - C{{do: finish}}: C{{event: over}} when every process is dead (those asked to end have their grace), the pipes are
   empty, and nobody here writes to the log any more;
 - C{{do: open-files, packs}} with a socket: L{tcworker.launcher.opener} serves there; only after C{over};
 - C{{event: log-broken, problem}} once, when the log cannot be written.

If the worker or the launcher goes away before C{over}, all is killed at once.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NoReturn

from tcworker.launcher.child import Problem, Surroundings, reset_signals
from tcworker.launcher.opener import Opener
from tcworker.launcher.output import Output
from tcworker.launcher.processes import Process, Processes
from tcworker.launcher.sink import Sink
from tcworker.launcher.system import System
from tcworker.launcher.wire import Message, Port, close_all


class Supervisor:
    """Supervises a run, in a process that does nothing else meanwhile.

    @param port: to the worker.
    @param launcher: to the launcher; it is readable once that is gone.
    @param log: the raw file and its ring; closed here.
    @param message: the launcher's order; see L{Surroundings.of}, and C{limit} of the log.
    """

    def __init__(self, system: System, port: Port, launcher: Port, log: tuple[int, int], message: Message) -> None:
        self._port, self._launcher = port, launcher
        self._log: tuple[int, ...] = log
        self._group = system.new_group(f"{message['group']}_{os.getpid()}")
        self._surroundings = Surroundings.of(message, self._group)
        self._system = system
        self._processes = Processes(system, self._surroundings)
        self._selector = selectors.DefaultSelector()
        sink = Sink(*log, message["limit"], system.move)
        self._output = Output(sink, self._watch, self._unwatch, self._log_broken)
        self._command: Process | None = None
        self._execs: dict[Process, int] = {}
        self._kill_at = math.inf
        self._asked_to_end = self._finishing = self._over = self._gone = False

    def run(self) -> None:
        """Serve until the worker goes away; then nothing of the run is left, in this process either."""
        self._watch_children()
        self._watch(self._port.fileno(), self._receive)
        self._watch(self._launcher.fileno(), self._go)
        pid = os.getpid()
        self._tell("started", pid=pid, startTime=self._system.start_time(pid), group=self._group)
        while not self._gone:
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._end_what_is_due()
        self._kill()
        self._release()

    def _release(self) -> None:
        self._output.close()
        self._remove_group()
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._port.close()
        close_all((*self._log, *self._wakeup))

    def _watch(self, descriptor: int, call: Callable[[], object]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, call)

    def _unwatch(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def _watch_children(self) -> None:
        self._wakeup = reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._watch(reading, lambda: self._reap(reading))

    def _timeout(self) -> float | None:
        return None if self._kill_at == math.inf else max(0.0, self._kill_at - time.monotonic())

    def _end_what_is_due(self) -> None:
        if time.monotonic() >= self._kill_at:
            self._kill()
        # Those who were asked to end may take their time; what nobody asked is of no use after the last command.
        if self._finishing and not self._over and (self._kill_at == math.inf or self._processes.alone):
            self._finish()

    def _receive(self) -> None:
        messages = self._port.receive()
        if messages is None:
            self._go()
            return
        for message, descriptors in messages:
            self._handlers[message["do"]](self, message, descriptors)
            close_all(descriptors)

    def _go(self) -> None:
        self._gone = True

    def _tell(self, event: str, **details: object) -> None:
        try:
            self._port.send({"event": event, **details})
        except OSError:
            self._go()

    def _run(self, message: Message, descriptors: Sequence[int]) -> None:
        try:
            self._command = self._start_command(message["argv"])
        except OSError as error:
            self._tell("ended", broken=f"no process could be made for the command: {error.strerror}")

    def _start_command(self, argv: Sequence[str]) -> Process:
        account = self._surroundings.account
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            writing = self._output.new_pipe((account.uid, account.gid) if account else None)
            try:
                return self._processes.start(argv, {}, (nothing, writing, writing))
            finally:
                os.close(writing)
        finally:
            os.close(nothing)

    def _exec(self, message: Message, descriptors: Sequence[int]) -> None:
        try:
            process = self._processes.start(message["argv"], message["env"], descriptors)
        except OSError as error:
            self._tell("exec-failed", key=message["key"], problem=f"no process could be made: {error.strerror}")
            return
        self._execs[process] = message["key"]
        assert process.pipe is not None
        self._watch(process.pipe, lambda: self._exec_begun(process))

    def _exec_begun(self, process: Process) -> None:
        """Say how the start of an exec went, unless that was said before."""
        if process.pipe is None:
            return
        self._unwatch(process.pipe)
        process.read_problem()
        if process.problem:
            self._tell("exec-failed", key=self._execs[process], problem=process.problem.text)
        else:
            self._tell("exec-started", key=self._execs[process])

    def _exec_kill(self, message: Message, descriptors: Sequence[int]) -> None:
        for process, key in self._execs.items():
            if key == message["key"]:
                process.kill_group()

    def _append(self, message: Message, descriptors: Sequence[int]) -> None:
        self._output.write_line(message["data"].encode("latin-1"))

    def _ask_to_end(self, message: Message, descriptors: Sequence[int]) -> None:
        if self._over:
            return
        self._kill_at = min(self._kill_at, time.monotonic() + message["grace"])
        if message["grace"] > 0 and not self._asked_to_end:
            self._asked_to_end = True
            self._processes.terminate()

    def _ask_to_finish(self, message: Message, descriptors: Sequence[int]) -> None:
        self._finishing = True

    def _open_files(self, message: Message, descriptors: Sequence[int]) -> None:
        """Let a process with the task's rights, and no more, answer on a socket."""
        try:
            pid = os.fork()
        except OSError:
            # The worker sees that nobody answers.
            return
        if pid == 0:
            self._be_opener(descriptors[0], packs=message["packs"])

    def _be_opener(self, end: int, packs: bool) -> NoReturn:
        status = 1
        try:
            self._selector.close()
            self._port.close()
            self._launcher.close()
            reset_signals()
            Opener(Port(socket.socket(fileno=end)), self._surroundings, packs).serve()
            status = 0
        finally:
            os._exit(status)

    def _reap(self, wakeup: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wakeup, 4096)
        for process, end in self._processes.reap():
            self._ended(process, end)

    def _ended(self, process: Process, end: Message) -> None:
        if process is self._command:
            self._command = None
            process.read_problem()
            # Its output comes before the lines that the worker will add, though a daemon may hold the pipe open.
            self._output.drain()
            self._tell("ended", **end, **_describe(process.problem))
        elif process in self._execs:
            self._exec_begun(process)
            if process.problem is None:
                self._tell("exec-ended", key=self._execs[process], status=end["status"], signal=end["signal"])
            del self._execs[process]

    def _kill(self) -> None:
        self._kill_at = math.inf
        for process, end in self._processes.kill():
            self._ended(process, end)

    def _finish(self) -> None:
        self._kill()
        self._output.close()
        close_all(self._log)
        self._log = ()
        self._remove_group()
        # From now on there is nothing to kill: the launcher may go, what the task left can still be had.
        self._unwatch(self._launcher.fileno())
        self._over = True
        self._tell("over")

    def _log_broken(self, problem: str) -> None:
        self._tell("log-broken", problem=problem)

    def _remove_group(self) -> None:
        if self._group is not None:
            self._system.remove_group(self._group)

    _handlers: ClassVar[Mapping[str, Callable[[Supervisor, Message, Sequence[int]], None]]] = {
        "run": _run,
        "exec": _exec,
        "exec-kill": _exec_kill,
        "append": _append,
        "kill": _ask_to_end,
        "finish": _ask_to_finish,
        "open-files": _open_files,
    }


def _describe(problem: Problem | None) -> Message:
    if problem is None:
        return {"problem": None}
    return {"problem" if problem.of_task else "broken": problem.text}
