"""The launcher: forks a supervisor for each run, and cleans up after one that died before its time.

What the worker sends: C{{do: supervise, key, ...}} (see L{tcworker.launcher.supervisor}) with three descriptors: a
socket to speak with the supervisor, the log's raw file, its ring. What it is told: C{{event: gone, key}} when the
supervisor of that key has ended and nothing of its run lives.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence

from tcworker.launcher.supervisor import Supervisor
from tcworker.launcher.system import System
from tcworker.launcher.wire import Message, Port, close_all


class Launcher:
    """Serves a worker until that goes away, and ends when its last supervisor has ended."""

    def __init__(self, system: System, port: Port) -> None:
        self._system, self._port = system, port
        self._keys: dict[int, int] = {}
        self._life = os.pipe()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve."""
        self._system.become_subreaper()
        wakeup = self._watch_children()
        # What is there now stays: a collection would only unshare its memory with the processes that we fork.
        gc.freeze()
        self._selector.register(self._port.fileno(), selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in self._selector.select()}
            if wakeup in ready:
                os.read(wakeup, 4096)
                self._reap()
            if self._port.fileno() in ready and not self._receive():
                break
        # The supervisors saw the worker go as well. Until they are done somebody must be there for their orphans.
        while self._keys:
            self._reap()
            time.sleep(0.01)

    def _watch_children(self) -> int:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ)
        return reading

    def _receive(self) -> bool:
        messages = self._port.receive()
        for message, descriptors in messages or ():
            self._supervise(message, descriptors)
        return messages is not None

    def _supervise(self, message: Message, descriptors: Sequence[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._be_supervisor(message, descriptors)
        self._keys[pid] = message["key"]
        close_all(descriptors)

    def _be_supervisor(self, message: Message, descriptors: Sequence[int]) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            self._port.close()
            reading, writing = self._life
            os.close(writing)
            end, raw, ring = descriptors
            Supervisor(self._system, Port(socket.socket(fileno=end)), reading, raw, ring, message).run()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Bury dead children, and kill those whom a dead supervisor left to us."""
        gone: list[int] = []
        well = True
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                pid, status = dead
                if pid in self._keys:
                    gone.append(self._keys.pop(pid))
                    well = well and status == 0
        # One that ended well has left nobody; and to look costs a walk through all processes of the machine.
        if not well:
            self._kill_strays()
        with contextlib.suppress(OSError):
            for key in gone:
                self._port.send({"event": "gone", "key": key})

    def _kill_strays(self) -> None:
        while strays := self._system.children(os.getpid()) - self._keys.keys():
            for stray in strays:
                self._system.kill_all(stray, (), None)
                with contextlib.suppress(OSError):
                    os.kill(stray, signal.SIGKILL)
            self._bury(strays)

    def _bury(self, strays: set[int]) -> None:
        for stray in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray, 0)
