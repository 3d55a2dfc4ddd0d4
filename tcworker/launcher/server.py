"""The launcher: has a supervisor process for each run, and cleans up after one that died before its time.

What the worker sends (C{do}):

 - C{{do: supervise, key, folder, env, account, ownUser, private, views, logLimit}} with three descriptors: a socket to
   speak with the supervisor (L{tcworker.launcher.supervisor}), the log's raw file, its ring. C{folder} to C{ownUser}
   are the L{Surroundings<tcworker.launcher.child.Surroundings>} of its commands, C{private} is
   L{Private<tcworker.launcher.namespace.Private>} or C{null}, C{views} are L{Views<tcworker.launcher.views.Views>} or
   C{null}, C{logLimit} the bytes that the log may have (0: any);
 - C{{do: kill, key}}: let the supervisor of that key die, and its run with it.

What it is told: C{{event: ready}} at first, or C{{event: refused, problem}} if the limits for tasks that it was given
cannot be kept here, which is its end; and C{{event: gone, key, exceeded, left}} when the supervisor of that key is done
and nothing of its run lives (C{exceeded}: should it have died, the limits that the run met, by their controllers;
C{left}: processes of it that do not die whatever we do, as those that wait for a disk; others need not wait for them).

A supervisor has one run at a time. It is given the worker's order as it came, and says C{{event: free}} when it can
take another. It ends when the port between us closes.

One that brought its run to an end waits for the next, and one more waits before it is needed: a fork costs more than
anything else that happens here.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys
import time
from collections.abc import Sequence, Set

from tcworker.launcher.group import Group
from tcworker.launcher.groups import Groups
from tcworker.launcher.limits import CannotLimit, Limits
from tcworker.launcher.supervisor import Post, Supervisor
from tcworker.launcher.system import System
from tcworker.launcher.undertaker import Employed, Undertaker
from tcworker.launcher.watch import Watch
from tcworker.launcher.wire import Message, Port, close_all

FAREWELL = 5.0
"""Seconds that supervisors have to kill what they have, once the worker is gone."""

_PAUSE = 0.01
"""Seconds between two looks at those who are about to die."""

MOST_WAITING = 8
"""Supervisors that may wait for work; more are let go."""


class Launcher:
    """Serves a worker until that goes away, and ends when its last supervisor has ended.

    @param owner: see L{tcworker.launcher.main}.
    """

    def __init__(self, system: System, port: Port, limits: Limits, owner: str) -> None:
        self._system, self._port, self._limits, self._owner = system, port, limits, owner
        self._employed: dict[int, Employed] = {}
        self._waiting: list[Employed] = []
        self._undertaker = Undertaker(system, self._employed, self._tell_gone)
        self._watch = Watch()
        self._watch.child_died = self._reap
        self._gone = False

    def run(self) -> None:
        """Serve."""
        try:
            # The worker and we may have to make way for groups that keep limits.
            ours = {os.getppid(), os.getpid()}
            self._groups = Groups(self._system.hierarchies(), self._limits, ours, self._owner)
            self._groups.new().remove()
        except CannotLimit as error:
            self._tell({"event": "refused", "problem": str(error)})
            return
        self._serve()

    def _serve(self) -> None:
        self._system.become_subreaper()
        # What is there now stays: a collection would only unshare its memory with the processes that we fork.
        gc.freeze()
        self._watch.add(self._port.fileno(), self._receive)
        self._have_one_waiting()
        self._tell({"event": "ready"})
        while not self._gone:
            self._watch.wait(_PAUSE if self._undertaker.busy else None)
            self._undertaker.look()
        for employed in self._employed.values():
            employed.port.close()
        # Whoever waits for our end relies on theirs, as far as they can die.
        until = time.monotonic() + FAREWELL
        while self._employed or self._undertaker.busy:
            if time.monotonic() > until:
                self._kill_all()
            self._reap()
            self._undertaker.look()
            time.sleep(0.002)

    def _kill_all(self) -> None:
        """End supervisors that do not: stopped by a task with our own rights, or waiting for a disk."""
        for employed in self._employed.values():
            self._undertaker.kill(employed)

    def _receive(self) -> None:
        messages = self._port.receive()
        if messages is None:
            self._gone = True
        for message, descriptors in messages or ():
            if message["do"] == "supervise":
                self._supervise(message, descriptors)
            else:
                self._kill(message["key"])
            close_all(descriptors)
        self._have_one_waiting()

    def _supervise(self, message: Message, descriptors: list[int]) -> None:
        while employed := self._waiting.pop() if self._waiting else self._employ():
            try:
                employed.port.send(message, descriptors)
            except OSError:
                # It died while it waited.
                continue
            employed.begin(message["key"])
            return
        self._tell({"event": "gone", "key": message["key"], "exceeded": [], "left": []})

    def _kill(self, key: int) -> None:
        for employed in self._employed.values():
            if employed.key == key:
                self._undertaker.kill(employed)

    def _have_one_waiting(self) -> None:
        if not self._waiting and not self._gone and (employed := self._employ()):
            self._waiting.append(employed)

    def _employ(self) -> Employed | None:
        """Fork a supervisor; C{None} if there can be none."""
        try:
            group = self._groups.new()
        except CannotLimit as error:
            print(error, file=sys.stderr, flush=True)
            return None
        try:
            ours, its = socket.socketpair()
        except OSError:
            group.remove()
            return None
        with its:
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                group.remove()
                return None
            if pid == 0:
                ours.close()
                self._be_supervisor(Port(its), group)
        employed = self._employed[pid] = Employed(pid, Port(ours), group)
        self._watch.add(ours.fileno(), lambda: self._freed(employed))
        return employed

    def _be_supervisor(self, port: Port, group: Group) -> None:
        status = 1
        try:
            self._watch.close()
            # Others must see the end of their port when the launcher is gone, whoever still lives then.
            for other in (self._port, *(employed.port for employed in self._employed.values())):
                other.close()
            self._limits.keep_files()
            _supervise_until_let_go(self._system, port, group)
            status = 0
        except BaseException:
            # Needed only here, and large.
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)

    def _freed(self, employed: Employed) -> None:
        """One is done with its run, or dead."""
        if employed.port.receive() is None:
            self._watch.remove(employed.port.fileno())
            return
        # First: the worker waits for this.
        self._tell_gone(employed)
        if len(self._waiting) < MOST_WAITING and not self._undertaker.expects(employed):
            self._waiting.append(employed)
        else:
            self._watch.remove(employed.port.fileno())
            employed.port.close()

    def _tell_gone(self, employed: Employed, exceeded: Sequence[str] = (), left: Set[int] = frozenset()) -> None:
        key, employed.key = employed.key, None
        if key is not None:
            self._tell({"event": "gone", "key": key, "exceeded": exceeded, "left": sorted(left)})

    def _tell(self, message: Message) -> None:
        # That nobody listens any more is noticed where we listen.
        with contextlib.suppress(OSError):
            self._port.send(message)

    def _reap(self) -> None:
        """Bury dead children."""
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                if employed := self._employed.pop(pid, None):
                    if employed in self._waiting:
                        self._waiting.remove(employed)
                    self._undertaker.died(employed)
                else:
                    self._undertaker.stray_died(pid)
        # Those who are dead were maybe the last of a run.
        self._undertaker.look()


def _supervise_until_let_go(system: System, port: Port, group: Group) -> None:
    """Have one run after the other; C{port} is to the launcher, which says nothing while there is one."""
    system.become_subreaper()
    group.enter()
    if group.limits_memory:
        system.protect()
    post = Post(system, port, Watch(), group, system.start_time(os.getpid()), group.memory())
    while (messages := port.receive()) is not None:
        for message, (end, raw, ring) in messages:
            Supervisor(post, Port(socket.socket(fileno=end)), (raw, ring), message).run()
        if post.crowded:
            break
        with contextlib.suppress(OSError):
            port.send({"event": "free"})
    group.remove()
