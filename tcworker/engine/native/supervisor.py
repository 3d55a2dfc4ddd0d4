"""The worker's side of one run's supervisor (L{tcworker.launcher.supervisor})."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from tcworker.engine.native.launcher import Gone, Supervised
from tcworker.errors import Cause, InternalError, TaskError, TaskFailed
from tcworker.launcher.wire import Message
from tcworker.process import Channel, IReactor
from tcworker.waiting import OneShot

_PATIENCE = 30.0
"""Seconds beyond the grace that a run may take to die. A supervisor does not listen while a command is about to start,
and a task whose command lies on a file system of its own can make that last."""


_DEAD = "the process that watches over the task's commands died, and they with it"

_TOO_LATE = "what the task left did not die in time, and was killed with the process that watches over its commands"

_LEFT = (
    "processes of the task do not die although they were killed ({pids}): they may wait for a disk, another machine or "
    "a file system of the task's own, and die when that answers or this machine starts anew"
)


_TIME_TO_FINISH = 30.0
"""Seconds that what a task left may take to die."""


class ExecEvents(Protocol):
    """Who is told what becomes of an exec."""

    def started(self) -> None:
        """It runs."""

    def failed(self, problem: str) -> None:
        """It could not be started."""

    def ended(self, status: int | None, signal: int | None) -> None:
        """It is dead."""


class SupervisorLink:
    """Speaks with the supervisor of a run.

    Whatever it is asked fails with L{InternalError} if it dies, or L{TaskFailed} if it died of what the task did to it;
    then every process of the run is dead that can die.

    @param supervised: the run.
    """

    def __init__(self, reactor: IReactor, supervised: Supervised) -> None:
        self._reactor, self._supervised = reactor, supervised
        self._gone = supervised.gone
        self._deadline: IDelayedCall | None = None
        self._given_up = False
        self._log_broken: OneShot[str] = OneShot()
        self._answers: dict[str, OneShot[Message]] = {}
        self._execs: dict[int, ExecEvents] = {}
        self._next_exec = 0
        self._channel = Channel(reactor, supervised.end, self._received, self._lost)

    def when_started(self) -> Deferred[Message]:
        """C{pid}, C{startTime}, C{groups} and C{private}; to be asked once, at first."""
        return self._expect("started")

    def run(self, argv: Sequence[str]) -> Deferred[Message]:
        """Run a command to its end; one at a time."""
        self._channel.send({"do": "run", "argv": list(argv)})
        return self._expect("ended")

    def finish(self) -> Deferred[Message]:
        """Fires when every process is dead, what was printed or appended is in the log, and only we write to it.

        It may take as long as L{kill} said before, or half a minute.
        """
        self._channel.send({"do": "finish"})
        if self._deadline is None:
            self._must_end_within(_TIME_TO_FINISH)
        return self._expect("over")

    def measure(self) -> Deferred[Message]:
        """What the run uses, or C{problem}."""
        # Whoever asks while somebody waits is told the same.
        if (waiting := self._answers.get("measured")) is not None:
            return waiting.wait()
        self._channel.send({"do": "measure"})
        return self._expect("measured")

    def append(self, data: bytes) -> None:
        """Put lines of the worker's own into the log."""
        self._channel.send({"do": "append", "data": data.decode("latin-1")})

    def when_log_broken(self) -> Deferred[str]:
        """Fires with what is wrong when the log cannot be written; maybe never."""
        return self._log_broken.wait()

    def kill(self, grace: float) -> None:
        """SIGTERM, and SIGKILL after some seconds; not after L{finish} has fired."""
        self._channel.send({"do": "kill", "grace": grace})
        self._must_end_within(grace + _PATIENCE)

    def open_files(self, end: socket.socket, packs: bool) -> None:
        """Let what the task left be opened (or packed) for whoever is at the other end; after L{finish} only."""
        self._channel.send({"do": "open-files", "packs": packs}, [end.detach()])

    def start_exec(
        self, argv: Sequence[str], env: Mapping[str, str], descriptors: Sequence[int], events: ExecEvents
    ) -> int:
        """Start another process; a number that names it. The descriptors are no longer the caller's."""
        self._next_exec += 1
        key = self._next_exec
        self._execs[key] = events
        self._channel.send({"do": "exec", "key": key, "argv": list(argv), "env": dict(env)}, descriptors)
        return key

    def kill_exec(self, key: int) -> None:
        """SIGKILL to it and its process group."""
        self._channel.send({"do": "exec-kill", "key": key})

    async def close(self) -> None:
        """Let it go: it kills what there is. Returns when nothing of the run lives that can die."""
        self._channel.close()
        self._must_end_within(_PATIENCE)
        await self._gone.wait()

    def _must_end_within(self, seconds: float) -> None:
        at = self._reactor.seconds() + seconds
        if self._gone.fired or (self._deadline is not None and self._deadline.getTime() <= at):
            return
        self._need_not_end()
        self._deadline = self._reactor.callLater(seconds, self._too_late)

    def _need_not_end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self._given_up = True
        self._supervised.kill()
        # Should it not die either, nobody else ends the connection.
        self._gone.wait().addCallback(lambda _: self._channel.close())

    def _expect(self, event: str) -> Deferred[Message]:
        answer = self._answers[event] = OneShot()
        if not self._channel.connected:
            # Not at once: whoever hears of its death relies on that of all its processes.
            self._gone.wait().addCallback(lambda gone: answer.fail(self._died(gone)))
        return answer.wait()

    def _received(self, message: Message, descriptors: list[int]) -> None:
        event = message["event"]
        if event == "over":
            self._need_not_end()
        if event == "log-broken":
            self._log_broken.succeed(message["problem"])
        elif event.startswith("exec-"):
            self._exec_event(event, message)
        elif (answer := self._answers.pop(event, None)) is not None:
            answer.succeed(message)

    def _exec_event(self, event: str, message: Message) -> None:
        key = message["key"]
        if event == "exec-started":
            self._execs[key].started()
        elif event == "exec-failed":
            self._execs.pop(key).failed(message["problem"])
        else:
            self._execs.pop(key).ended(message["status"], message["signal"])

    def _lost(self) -> None:
        self._gone.wait().addCallback(self._all_dead)

    def _all_dead(self, gone: Gone) -> None:
        # Nothing is left that could be late.
        self._need_not_end()
        answers, self._answers = self._answers, {}
        execs, self._execs = self._execs, {}
        for answer in answers.values():
            answer.fail(self._died(gone))
        for events in execs.values():
            events.ended(None, signal.SIGKILL)

    def _died(self, gone: Gone) -> TaskError:
        if gone.left:
            return InternalError(_LEFT.format(pids=", ".join(map(str, gone.left))))
        # It is killed last, if at all: whoever did it had filled the memory with what is in no process.
        if "memory" in gone.exceeded:
            return TaskFailed(
                "the task filled the memory that it may have here (limits.memoryMB) with what no process held, as "
                "files in /dev/shm, so that all of it had to be killed and nothing that it left can be read",
                cause=Cause.OUT_OF_MEMORY,
            )
        return InternalError(_TOO_LATE if self._given_up else _DEAD)
