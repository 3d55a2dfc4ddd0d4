"""The launcher: has a supervisor process for each run, and cleans up after one that died before its time.

What the worker sends: C{{do: supervise, key, ...}} (see L{tcworker.launcher.supervisor}) with three descriptors: a
socket to speak with the supervisor, the log's raw file, its ring. What it is told: C{{event: ready}} at first, and
C{{event: gone, key}} when the supervisor of that key is done and nothing of its run lives.

A supervisor has one run at a time. One that brought its run to an end waits for the next, and one more waits before it
is needed: a fork costs more than anything else that happens here.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import time

from tcworker.launcher.supervisor import Supervisor
from tcworker.launcher.system import System
from tcworker.launcher.wire import Message, Port, close_all

MOST_WAITING = 8
"""Supervisors that may wait for work; more are let go."""


class Employed:
    """A supervisor process.

    @ivar key: of the run that it has, C{None} while it waits for one.
    """

    def __init__(self, pid: int, port: Port) -> None:
        self.pid, self.port = pid, port
        self.key: int | None = None


class Launcher:
    """Serves a worker until that goes away, and ends when its last supervisor has ended."""

    def __init__(self, system: System, port: Port) -> None:
        self._system, self._port = system, port
        self._employed: dict[int, Employed] = {}
        self._waiting: list[Employed] = []
        self._selector = selectors.DefaultSelector()
        self._gone = False

    def run(self) -> None:
        """Serve."""
        self._system.become_subreaper()
        self._watch_children()
        # What is there now stays: a collection would only unshare its memory with the processes that we fork.
        gc.freeze()
        self._selector.register(self._port.fileno(), selectors.EVENT_READ, self._receive)
        self._have_one_waiting()
        self._tell({"event": "ready"})
        while not self._gone:
            for key, _ in self._selector.select():
                key.data()
        for employed in self._employed.values():
            employed.port.close()
        while self._employed:
            self._reap()
            time.sleep(0.01)

    def _watch_children(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ, lambda: self._woken(reading))

    def _woken(self, wakeup: int) -> None:
        os.read(wakeup, 4096)
        self._reap()

    def _receive(self) -> None:
        messages = self._port.receive()
        if messages is None:
            self._gone = True
        for message, descriptors in messages or ():
            self._supervise(message, descriptors)
            close_all(descriptors)
        self._have_one_waiting()

    def _supervise(self, message: Message, descriptors: list[int]) -> None:
        employed = self._waiting.pop() if self._waiting else self._employ()
        employed.key = message["key"]
        # One that has just died is found dead when it is reaped.
        with contextlib.suppress(OSError):
            employed.port.send(message, descriptors)

    def _have_one_waiting(self) -> None:
        if not self._waiting and not self._gone:
            self._waiting.append(self._employ())

    def _employ(self) -> Employed:
        ours, its = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._be_supervisor(Port(its))
        its.close()
        employed = self._employed[pid] = Employed(pid, Port(ours))
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._freed(employed))
        return employed

    def _be_supervisor(self, port: Port) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            # Others must see the end of their port when the launcher is gone, whoever still lives then.
            for other in (self._port, *(employed.port for employed in self._employed.values())):
                other.close()
            _supervise_until_let_go(self._system, port)
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)

    def _freed(self, employed: Employed) -> None:
        """One is done with its run, or dead."""
        if employed.port.receive() is None:
            self._selector.unregister(employed.port.fileno())
            return
        self._tell_gone(employed)
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(employed)
        else:
            self._selector.unregister(employed.port.fileno())
            employed.port.close()

    def _tell_gone(self, employed: Employed) -> None:
        key, employed.key = employed.key, None
        if key is not None:
            self._tell({"event": "gone", "key": key})

    def _tell(self, message: Message) -> None:
        # That nobody listens any more is noticed where we listen.
        with contextlib.suppress(OSError):
            self._port.send(message)

    def _reap(self) -> None:
        """Bury dead children, and kill those whom a dead supervisor left to us."""
        dead: list[Employed] = []
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                if pid in self._employed:
                    dead.append(self._employed.pop(pid))
        # One that waited left nobody, and looking for strays costs a walk through all processes.
        if any(employed.key is not None for employed in dead):
            self._kill_strays()
        for employed in dead:
            if employed in self._waiting:
                self._waiting.remove(employed)
            self._tell_gone(employed)

    def _kill_strays(self) -> None:
        while strays := self._system.children(os.getpid()) - self._employed.keys():
            for stray in strays:
                self._system.kill_all(stray, (), None)
                with contextlib.suppress(OSError):
                    os.kill(stray, signal.SIGKILL)
            self._bury(strays)

    def _bury(self, strays: set[int]) -> None:
        for stray in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray, 0)


def _supervise_until_let_go(system: System, port: Port) -> None:
    """Have one run after the other; C{port} is to the launcher, which says nothing while there is one."""
    system.become_subreaper()
    while (messages := port.receive()) is not None:
        for message, (end, raw, ring) in messages:
            Supervisor(system, Port(socket.socket(fileno=end)), port, (raw, ring), message).run()
            with contextlib.suppress(OSError):
                port.send({"event": "free"})
