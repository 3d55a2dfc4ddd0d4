"""The worker's side of the launcher: one process, started when first needed, and again should it die."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from tcworker.errors import ConfigError, Fault, InternalError
from tcworker.launcher import main
from tcworker.launcher.limits import NO_LIMITS, Limits
from tcworker.launcher.wire import Message
from tcworker.process import Channel, IReactor, spawn
from tcworker.waiting import OneShot
from tcworker.watch.limits import FILES_AT_START

_log = Logger()
_ITS_END = 3


def owner_of(state_dir: str) -> str:
    """Whose launcher it is, for L{tcworker.launcher.main}: of the one worker that has this state directory."""
    try:
        entry = os.stat(state_dir)
    except OSError:
        return state_dir
    # In another container another folder may have this path.
    return f"{state_dir}@{entry.st_dev:x}:{entry.st_ino:x}"


class Gone(NamedTuple):
    """What is known of a run that is over.

    @ivar exceeded: the limits that it met, by their controllers, if its supervisor died.
    @ivar left: processes of it that do not die.
    """

    exceeded: Sequence[str] = ()
    left: Sequence[int] = ()


class Supervised(NamedTuple):
    """A run that has a supervisor.

    @ivar end: a socket to that.
    @ivar gone: fires when nothing of the run lives that can die, and the supervisor is free for another, or dead.
    @ivar kill: lets it die, with all of the run; for one that does not listen any more.
    """

    end: socket.socket
    gone: OneShot[Gone]
    kill: Callable[[], None]


class LauncherLink:
    """The launcher of one worker.

    @param state_dir: the worker's.
    @ivar limits: what each task may have.
    """

    def __init__(self, reactor: IReactor, state_dir: str, limits: Limits = NO_LIMITS) -> None:
        self._reactor, self._state_dir, self.limits = reactor, state_dir, limits
        self._keys = count(1)
        self._process: LauncherProcess | None = None
        self._stopped = False

    def ensure(self) -> LauncherProcess:
        """Have it run. Raises C{OSError}, also once it was told to stop."""
        if self._stopped:
            # A run that comes too late would start one that nobody ends.
            raise OSError(errno.ESHUTDOWN, "the worker is stopping")
        if self._process is None or self._process.dead:
            self._process = LauncherProcess(self._reactor, owner_of(self._state_dir), self.limits)
        return self._process

    def when_ready(self) -> Deferred[None]:
        """Have it run, and fire when it can take orders; fails with L{InternalError} if it cannot.

        With L{ConfigError} if the limits cannot be kept on this machine.
        """
        try:
            return self.ensure().ready.wait()
        except OSError as error:
            return fail(InternalError(f"the launcher of native tasks could not start: {error}"))

    def supervise(self, order: Mapping[str, Any], raw: int, ring: int) -> Supervised:
        """Have a run supervised (L{tcworker.launcher.supervisor}). Raises C{OSError}."""
        process, key = self.ensure(), next(self._keys)
        with ExitStack() as undo:
            ours, its = socket.socketpair()
            undo.callback(ours.close)
            undo.callback(its.close)
            lent = []
            for descriptor in (raw, ring):
                lent.append(os.dup(descriptor))
                undo.callback(os.close, lent[-1])
            undo.pop_all()
        gone = process.supervise(key, order, [its.detach(), *lent])
        return Supervised(ours, gone, lambda: process.kill(key))

    def stop(self) -> Deferred[None]:
        """End it; fires when it is dead."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._stopped = True
        if self._process is not None:
            await self._process.stop()


class LauncherProcess:
    """A launcher that runs.

    @ivar dead: whether no new run can be given to it.
    @ivar ready: fires when it can take orders.
    """

    def __init__(self, reactor: IReactor, owner: str, limits: Limits) -> None:
        ours, its = socket.socketpair()
        self.dead = self._stopping = self._refused = False
        self.ready: OneShot[None] = OneShot()
        self._gone: dict[int, OneShot[Gone]] = {}
        self._limits = limits
        # No variable of ours goes along: what the launcher has, tasks of the same user can read.
        with its:
            program = [sys.executable, "-I", "-S", os.path.abspath(main.__file__)]
            # Programs that know select() alone rely on what is usual, whatever the worker allowed itself.
            kept = limits._replace(files=FILES_AT_START)
            argv = [*program, str(_ITS_END), json.dumps(kept._asdict()), owner]
            try:
                self._child = spawn(reactor, argv, {}, {_ITS_END: its.fileno()}, self._says)
            except BaseException:
                ours.close()
                raise
        self._channel = Channel(reactor, ours, self._received, self._lost)
        self._child.when_ended().addCallback(lambda _: self._ended())

    def supervise(self, key: int, order: Mapping[str, Any], descriptors: list[int]) -> OneShot[Gone]:
        """See L{LauncherLink.supervise}; the descriptors are the launcher's from now on."""
        gone = self._gone[key] = OneShot()
        self._channel.send({"do": "supervise", "key": key, **order}, descriptors)
        return gone

    def kill(self, key: int) -> None:
        """See L{Supervised}."""
        self._channel.send({"do": "kill", "key": key})

    async def stop(self) -> None:
        """Let it go, and wait until it went."""
        self.dead = self._stopping = True
        self._channel.close()
        await self._child.when_ended()

    def _received(self, message: Message, descriptors: list[int]) -> None:
        if message["event"] == "ready":
            self.ready.succeed(None)
        elif message["event"] == "refused":
            self._refused = True
            self.ready.fail(_cannot_limit(self._limits, message["problem"]))
        elif (gone := self._gone.pop(message["key"], None)) is not None:
            if message["left"]:
                _log.error("processes of a task do not die although they were killed: {left}", left=message["left"])
            gone.succeed(Gone(message["exceeded"], message["left"]))

    def _lost(self) -> None:
        # Not worth a word yet: a reactor that stops closes all that is open.
        self.dead = True

    def _ended(self) -> None:
        if self.ready.fired and not (self._stopping or self._refused):
            _log.error("the launcher of native tasks is gone; those that run are killed, the next starts another")
        self.dead = True
        # It may be the first sign: a process is buried before its sockets are read.
        self._channel.close()
        self.ready.fail(
            InternalError("the launcher of native tasks could not start; the worker's log has what it said")
        )
        # No supervisor is left either: they share its stderr, and it has ended for us when that is closed.
        for gone in self._gone.values():
            gone.succeed(Gone())
        self._gone.clear()

    def _says(self, line: str) -> None:
        _log.error("the launcher says: {line}", line=line)


def _cannot_limit(limits: Limits, problem: str) -> ConfigError:
    values = {"memoryMB": limits.megabytes, "pids": limits.pids, "cpus": limits.cpus}
    asked = {name: value for name, value in values.items() if value is not None}
    return ConfigError([Fault("limits", json.dumps(asked), f"limits that this machine can keep: {problem}")])
