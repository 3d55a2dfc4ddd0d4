"""One run: starts its commands when told, gathers their output, and lets nothing outlive it.

What the worker sends (C{do}) and is answered (C{event}):

 - at first, C{{event: started, pid, startTime, groups, private}} (C{groups}: all folders of its control group,
   C{private}: whether it has the folders of its own that the order asks for), or
   C{{event: started, unseen, lasting}} with why what the order wants it to see cannot be shown, and whether the next
   run need not try, or C{{event: started, broken}} with a sentence that says why it cannot run;
 - C{{do: run, argv}}: C{{event: ended, status, signal, user, system, wall, peak, leastPeak, outOfMemory, exceeded,
   problem}}, its output being in the log (C{leastPeak}: see L{Process}; C{problem}: why it could not be started;
   C{exceeded}: the limits that the run met, see L{Processes.exceeded}); or C{{event: ended, broken}}, which is not
   its fault;
 - C{{do: exec, key, argv, env}} with one descriptor (a terminal) or three: C{{event: exec-started, key}} or
   C{{event: exec-failed, key, problem}}, and at its end C{{event: exec-ended, key, status, signal}};
 - C{{do: exec-kill, key}}: no answer;
 - C{{do: append, data}}: lines for the log (bytes as latin-1); no answer;
 - C{{do: kill, grace}}: SIGTERM, SIGKILL after so many seconds; no answer but the ends of those that die;
 - C{{do: measure}}: C{{event: measured, cpu, memory, disk, processes}}, see L{tcworker.interfaces.Usage}; or
   C{{event: measured, problem}};
 - C{{do: finish}}: C{{event: over, exceeded}} when every process is dead (those asked to end have their grace), the
   pipes are empty, and nobody here writes to the log any more;
 - C{{do: open-files, packs}} with a socket: L{tcworker.launcher.opener} serves there; only after C{over};
 - C{{event: log-broken, problem}} once, when the log cannot be written.

If the worker or the launcher goes away before C{over}, all is killed at once.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple, NoReturn

from tcworker.launcher.child import CannotStart, Surroundings
from tcworker.launcher.group import Group
from tcworker.launcher.namespace import IN_MEMORY, Namespace, Private
from tcworker.launcher.opener import Opener
from tcworker.launcher.output import Output
from tcworker.launcher.processes import Process, Processes
from tcworker.launcher.sink import Sink
from tcworker.launcher.system import System
from tcworker.launcher.usage import Meter
from tcworker.launcher.views import CannotShow, Views
from tcworker.launcher.watch import Watch
from tcworker.launcher.wire import Message, Port, close_all

_NOT_STARTED = {
    "status": 127,
    "signal": None,
    "user": 0.0,
    "system": 0.0,
    "wall": 0.0,
    "peak": 0,
    "leastPeak": 0,
    "outOfMemory": False,
}


MOST_LEFT = 4 << 20
"""Bytes of memory that a run may leave to the next one's account."""


class Post(NamedTuple):
    """What a supervisor process has from its first run to its last.

    @ivar launcher: a port to it, readable once it is gone.
    @ivar start_time: of this process, in the words of L{System}.
    @ivar memory: bytes that the group needed before the first.
    """

    system: System
    launcher: Port
    watch: Watch
    group: Group
    start_time: str | None
    memory: int

    @property
    def crowded(self) -> bool:
        """Whether something of a run is left in memory, in /dev/shm for example: it would count for the next."""
        return self.group.memory() > self.memory + MOST_LEFT


class Supervisor:
    """Supervises a run, in a process that does nothing else meanwhile.

    @param port: to the worker.
    @param log: the raw file and its ring; closed here.
    @param message: the order, see L{tcworker.launcher.server}.
    """

    def __init__(self, post: Post, port: Port, log: tuple[int, int], message: Message) -> None:
        self._post, self._watch, self._port = post, post.watch, port
        self._log = log
        self._surroundings = Surroundings.of(message)
        self._private, self._views = Private.of(message), Views.of(message)
        self._namespace = Namespace()
        self._processes = Processes(post.system, post.group, self._surroundings)
        self._meter: Meter | None = None
        sink = Sink(*log, message["logLimit"], post.system.move)
        self._output = Output(sink, self._watch.add, self._watch.remove, self._log_broken)
        self._command: Process | None = None
        self._execs: dict[Process, int] = {}
        self._kill_at = math.inf
        self._asked_to_end = self._finishing = self._over = self._gone = False

    def run(self) -> None:
        """Serve until the worker goes away; then nothing of the run is left, in this process either."""
        self._watch.child_died = self._reap
        self._watch.add(self._port.fileno(), self._receive)
        self._watch.add(self._post.launcher.fileno(), self._go)
        self._begin()
        while not self._gone:
            self._watch.wait(self._timeout())
            self._end_what_is_due()
        # They read what the task left, which may be removed from now on.
        self._processes.end_helpers()
        if not self._over:
            self._end()
        # Last: what helpers read, and where a task is killed, is the task's own view. Should it fail, we end, and with
        # us that view.
        self._namespace.leave()
        self._watch.remove(self._port.fileno())
        self._port.close()

    def _begin(self) -> None:
        # Whoever is in a session can read its keys: the worker's, or those that the run before left.
        self._post.system.new_keyring()
        try:
            private = self._enter_namespace()
        except CannotShow as error:
            self._tell("started", unseen=str(error), lasting=error.lasting)
        except OSError as error:
            self._tell("started", broken=f"it can have no folders of its own: {error.strerror}")
        else:
            post = self._post
            shm = IN_MEMORY if private and os.path.isdir(IN_MEMORY) else None
            self._meter = post.system.new_meter(post.group, shm)
            run = {"pid": os.getpid(), "startTime": post.start_time, "groups": post.group.folders}
            self._tell("started", **run, private=private)

    def _enter_namespace(self) -> bool:
        """See what the run shall; whether it has folders of its own. Raises L{CannotShow} and C{OSError}."""
        if self._private is None and self._views is None:
            return False
        entered = self._namespace.enter(self._private, self._views)
        if not entered and self._views is not None:
            raise CannotShow("the kernel lets no task have mounts of its own", lasting=True)
        return entered and self._private is not None

    def _timeout(self) -> float | None:
        return None if self._kill_at == math.inf else max(0.0, self._kill_at - time.monotonic())

    def _end_what_is_due(self) -> None:
        if time.monotonic() >= self._kill_at:
            self._kill()
        # Those who were asked to end may take their time; what nobody asked is of no use after the last command.
        if self._finishing and not self._over and (self._kill_at == math.inf or self._processes.nobody_left):
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
        except CannotStart as error:
            # It may also be the task that left no room for another process.
            exceeded = self._processes.exceeded
            problem = "problem" if error.of_task or exceeded else "broken"
            self._tell("ended", **_NOT_STARTED, exceeded=exceeded, **{problem: str(error)})
        except OSError as error:
            self._tell("ended", broken=f"no pipe could be made for the command: {error.strerror}")

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
        except CannotStart as error:
            self._tell("exec-failed", key=message["key"], problem=str(error))
        else:
            self._execs[process] = message["key"]
            self._tell("exec-started", key=message["key"])

    def _exec_kill(self, message: Message, descriptors: Sequence[int]) -> None:
        for process, key in self._execs.items():
            # It may have ended while the worker asked.
            if key == message["key"]:
                process.kill_group()

    def _append(self, message: Message, descriptors: Sequence[int]) -> None:
        self._output.write_line(message["data"].encode("latin-1"))

    def _ask_to_end(self, message: Message, descriptors: Sequence[int]) -> None:
        if self._over:
            return
        # Who asks again may hurry, but nobody gets more time by that.
        self._kill_at = min(self._kill_at, time.monotonic() + message["grace"])
        if message["grace"] > 0 and not self._asked_to_end:
            self._asked_to_end = True
            self._processes.terminate()

    def _ask_to_finish(self, message: Message, descriptors: Sequence[int]) -> None:
        self._finishing = True

    def _measure(self, message: Message, descriptors: Sequence[int]) -> None:
        if self._meter is None:
            self._tell("measured", problem="nobody measures what tasks use on this system")
            return
        try:
            self._tell("measured", **self._meter.measure())
        except OSError as error:
            self._tell("measured", problem=f"what the task uses cannot be measured: {error}")

    def _open_files(self, message: Message, descriptors: Sequence[int]) -> None:
        """Let a process with the task's rights, and no more, answer on a socket."""
        try:
            pid = self._processes.fork_helper()
        except OSError:
            # The worker sees that nobody answers.
            return
        if pid == 0:
            self._be_opener(descriptors[0], packs=message["packs"])

    def _be_opener(self, end: int, packs: bool) -> NoReturn:
        status = 1
        try:
            self._watch.close()
            self._port.close()
            self._post.launcher.close()
            Opener(Port(socket.socket(fileno=end)), self._surroundings, packs).serve()
            status = 0
        finally:
            os._exit(status)

    def _reap(self) -> None:
        for process, end in self._processes.reap():
            self._ended(process, end)

    def _ended(self, process: Process, end: Message) -> None:
        if process is self._command:
            self._command = None
            # Its output comes before the lines that the worker will add, though a daemon may hold the pipe open.
            self._output.drain()
            self._tell("ended", **end, problem=None)
        elif process in self._execs:
            self._tell("exec-ended", key=self._execs.pop(process), status=end["status"], signal=end["signal"])

    def _kill(self) -> None:
        self._kill_at = math.inf
        for process, end in self._processes.kill():
            self._ended(process, end)

    def _finish(self) -> None:
        self._end()
        self._tell("over", exceeded=self._processes.exceeded)

    def _end(self) -> None:
        """Let nothing live, and have nothing more to do with the log."""
        # In this order: the dead print nothing, so what is in the pipes now is all.
        self._kill()
        # There is no next run then; whoever works for this one from now on, us too, must have room to do so.
        if self._post.crowded:
            self._post.group.lift_memory()
        self._processes.kill_strangers()
        self._output.close()
        close_all(self._log)
        # The next run's commands are to be born in it.
        self._post.group.enter()
        # From now on there is nothing to kill: the launcher may go, what the task left can still be had.
        self._watch.remove(self._post.launcher.fileno())
        self._over = True

    def _log_broken(self, problem: str) -> None:
        self._tell("log-broken", problem=problem)

    _handlers: ClassVar[Mapping[str, Callable[[Supervisor, Message, Sequence[int]], None]]] = {
        "run": _run,
        "exec": _exec,
        "exec-kill": _exec_kill,
        "append": _append,
        "kill": _ask_to_end,
        "measure": _measure,
        "finish": _ask_to_finish,
        "open-files": _open_files,
    }
