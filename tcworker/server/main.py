"""The process of C{tcworker server}: its reactor, its signals and its log."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.logger import FilteringLogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner
from twisted.python.failure import Failure

from tcworker.clocks import run_steadily
from tcworker.errors import ProcessStatus
from tcworker.running import end_for_sure, take_signals
from tcworker.server.broker import with_password
from tcworker.server.command import ServerCommand
from tcworker.server.options import ServerOptions
from tcworker.server.token import take_variable
from tcworker.worker_log import text_observer

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

OF_TWISTED = ("log_legacy", "twisted.internet")
"""What they say of ports and loops is nothing that one who runs a server can use."""


def main(options: ServerOptions) -> int:
    """Serve with the process's own reactor, and give the status to exit with."""
    # Before anything is started that could pass it on.
    variable = take_variable(os.environ)
    options = replace(options, pulse=with_password(options.pulse, os.environ))
    from twisted.internet import reactor as module

    reactor: Any = module
    run_steadily(reactor)
    _log_to_stderr()
    command = ServerCommand(reactor, options, variable, _print, partial(end_for_sure, ProcessStatus.DONE))
    statuses: list[int] = []

    def start() -> None:
        # After the reactor has put its own handlers in place.
        take_signals(SIGNALS, reactor, lambda _: command.interrupt())
        command.run().addErrback(_explain).addCallback(end)

    def end(status: int) -> None:
        statuses.append(status)
        end_for_sure(status)
        reactor.stop()

    reactor.callWhenRunning(start)
    reactor.run()
    return statuses[0] if statuses else ProcessStatus.INTERNAL_ERROR


def _log_to_stderr() -> None:
    levels = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
    for namespace in OF_TWISTED:
        levels.setLogLevelForNamespace(namespace, LogLevel.warn)
    observer = FilteringLogObserver(text_observer(sys.stderr), [levels])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


def _print(text: str) -> None:
    # Closed by whoever started it: the number is that of another file by now.
    left = text.encode() if sys.stdout is not None else b""
    # Not through a buffer: whoever waits for it in a pipe has it at once, and one who left it is no trouble at the end.
    with suppress(OSError):
        while left:
            left = left[os.write(1, left) :]


def _explain(failure: Failure) -> int:
    print(f"tcworker server: a fault of its own: {failure.getTraceback()}", file=sys.stderr)
    return ProcessStatus.INTERNAL_ERROR
