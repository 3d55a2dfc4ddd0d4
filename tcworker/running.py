"""A process that is there for one worker: its signals, its end and its exit status.

An application of somebody's own needs none of this: there a worker is a service among others.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import IO, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure

from tcworker.clocks import run_steadily
from tcworker.errors import ConfigError, ProcessStatus, StateDirectoryTaken, StateUnusable
from tcworker.interfaces import Unsubscribe
from tcworker.watch.process import look_after
from tcworker.worker import Worker
from tcworker.worker_log import OBSERVERS

HURRY = 5.0
"""Seconds that a second signal leaves."""

LAST_RESORT = 5.0
"""Seconds that a process has to end by itself once its worker has ended."""

LEAST = 1.0
"""Seconds that it has at least once it is told to go: closing takes its time, too."""

NOW, DRAIN = "now", "drain"

SIGNALS = {signal.SIGTERM: NOW, signal.SIGHUP: NOW, signal.SIGINT: DRAIN}

_log = Logger()


class WorkerProcess(MultiService):
    """Owns a worker, and stops the reactor when that has stopped.

    SIGTERM and SIGHUP end the running tasks, SIGINT lets them finish, a second signal leaves five seconds. One that was
    ignored when the process began stays ignored (C{nohup}, or C{&} in a script).

    @param ended: called with the status that the process should end with.
    @param must_end: called with the seconds after which the process may not be there any more, whatever its worker
        does; again when they become less.
    """

    def __init__(
        self, reactor: Any, worker: Worker, ended: Callable[[int], None], must_end: Callable[[float], None]
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._worker = worker
        self._ended = ended
        self._signalled = False
        self._leave_signals: Unsubscribe = _nothing
        worker.setServiceParent(self)
        worker.watch_deadline(must_end)

    def startService(self) -> None:
        """Start the worker on a steady clock, and listen to signals once the reactor's own handlers are in place."""
        run_steadily(self._reactor)
        super().startService()
        # The reactor puts handlers of its own in place when it begins to run.
        self._reactor.callWhenRunning(self._listen)
        # What a booted worker consists of stays: looking through it again and again costs a twentieth of the time. (Why
        # a boot failed is told below.)
        self._worker.when_booted().addCallbacks(lambda config: gc.freeze(), lambda failure: None)
        ended = self._worker.when_stopped().addCallbacks(lambda exit: exit.status, _explain).addCallback(self._end)
        ended.addErrback(lambda failure: _log.failure("the end of the worker could not be told", failure=failure))

    def stopService(self) -> Deferred[None]:
        """Stop the worker, if it runs, and leave signals to others again."""
        stopped: Deferred[Any] = super().stopService()
        return stopped.addBoth(self._stop_listening)

    def received(self, number: signal.Signals) -> None:
        """Do what a signal asks for."""
        # Whoever asks twice is in a hurry, whatever the two signals are.
        if self._signalled:
            self._worker.stop_now(HURRY, f"a second signal, {number.name}")
        elif SIGNALS[number] == DRAIN:
            self._worker.drain(number.name)
        else:
            self._worker.stop_now(None, number.name)
        self._signalled = True

    def _listen(self) -> None:
        # It may have been stopped before the reactor ran.
        if self.running:
            self._leave_signals = take_signals(SIGNALS, self._reactor, self.received)

    def _stop_listening(self, result: Any) -> Any:
        self._leave_signals()
        return result

    def _end(self, status: int) -> None:
        self._ended(status)
        if self.running:
            self._reactor.callWhenRunning(self._stop_reactor)

    def _stop_reactor(self) -> None:
        # Somebody else may have stopped it since.
        if self.running:
            self._reactor.stop()


def take_signals(
    numbers: Iterable[signal.Signals], reactor: Any, call: Callable[[signal.Signals], object]
) -> Unsubscribe:
    """Be told of signals in the reactor's thread; gives what leaves them to others again.

    One that is ignored stays ignored: C{nohup}, or C{&} in a script, asked for that.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        # A handler runs between any two instructions of whatever is being done.
        reactor.callFromThread(call, signal.Signals(number))

    taken = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    replaced = {number: signal.signal(number, handle) for number in taken}

    def leave() -> None:
        while replaced:
            signal.signal(*replaced.popitem())

    return leave


def end_for_sure(status: int, seconds: float = LAST_RESORT) -> None:
    """Let this process end with a status even if a thread of it never ends: a disk that hangs is enough for that.

    What the thread was about is in the state directory, and the next start deals with it.

    @param seconds: how long it has to end by itself.
    """
    _end_after(seconds, status, f"a thread did not end within {seconds:.0f} s, the process ends without it")


def end_in_time(seconds: float) -> None:
    """Let this process end within so many seconds even if its worker does not, or its reactor is held up.

    Whoever set the time (a machine that is taken away, a service manager) would end it the hard way; the launcher then
    ends the tasks, as it does when a worker dies.
    """
    why = f"the worker is not gone within {seconds:.0f} s, the process ends; the next start deals with what is left"
    _end_after(max(LEAST, seconds), ProcessStatus.SHUTDOWN, why)


def _end_after(seconds: float, status: int, why: str) -> None:
    timer = threading.Timer(seconds, _end_now, [status, why])
    timer.daemon = True
    timer.start()


def _end_now(status: int, why: str) -> None:
    print(f"tcworker: {why}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(status)


def _nothing() -> None:
    pass


def _explain(failure: Failure) -> int:
    """Say why a worker could not boot, each fault on a line of its own, and give the status to end with."""
    error = failure.value
    if isinstance(error, ConfigError):
        for fault in error.faults:
            _log.error("{fault}", fault=fault)
        return error.exit_status
    # The text says what to do; a traceback would only hide it.
    if isinstance(error, StateDirectoryTaken | StateUnusable):
        _log.error("{error}", error=error)
    else:
        _log.failure("the worker could not start", failure=failure)
    return ProcessStatus.INTERNAL_ERROR


def run_forever(reactor: Any, worker: Worker, log_format: str, stream: IO[str]) -> int:
    """Run a worker until it ends, and give the status to exit with.

    @param reactor: not yet running.
    @param log_format: a key of L{OBSERVERS}.
    @param stream: where the log goes; what is printed goes there too.
    """
    statuses: list[int] = []

    def ended(status: int) -> None:
        statuses.append(status)
        end_for_sure(status)

    globalLogBeginner.beginLoggingTo([OBSERVERS[log_format](stream)])
    process = WorkerProcess(reactor, worker, ended, end_in_time)
    look_after(process, reactor, worker)
    # Somebody else may stop the reactor, too: the worker is then stopped all the same.
    reactor.addSystemEventTrigger("before", "shutdown", process.stopService)
    reactor.callWhenRunning(process.startService)
    reactor.run()
    return statuses[0] if statuses else ProcessStatus.DONE
