"""The process of C{tcworker run FILE…}: its reactor, its signals and its log."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from twisted.logger import FilteringLogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner
from twisted.python.failure import Failure

from tcworker.clocks import run_steadily
from tcworker.local_run.command import RunCommand, RunOptions
from tcworker.local_run.outcomes import EXCEPTION
from tcworker.running import take_signals
from tcworker.worker_log import text_observer

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(options: RunOptions) -> int:
    """Run the tasks with the process's own reactor, and give the status to exit with."""
    from twisted.internet import reactor as module

    reactor: Any = module
    # Its Taskcluster is its own: were that clock set, credentials would be over, and claims with them.
    run_steadily(reactor, dates=True)
    _log_to_stderr(options.verbose)
    # no-color.org: any value but an empty one.
    colours = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
    command = RunCommand(reactor, options, sys.stdout.buffer, colours)
    statuses: list[int] = []

    def start() -> None:
        # After the reactor has put its own handlers in place.
        take_signals(SIGNALS, reactor, lambda _: command.interrupt())
        command.run().addCallbacks(statuses.append, _explain).addBoth(stop)

    def stop(_: object) -> None:
        reactor.stop()

    reactor.callWhenRunning(start)
    reactor.run()
    status = statuses[0] if statuses else EXCEPTION
    if command.abandoned:
        # Whatever thread is still at work, nobody waits for it.
        sys.stdout.flush()
        os._exit(status)
    return status


def _log_to_stderr(verbose: bool) -> None:
    # A worker's own log would drown those of the tasks.
    level = LogLevel.info if verbose else LogLevel.warn
    observer = FilteringLogObserver(text_observer(sys.stderr), [LogLevelFilterPredicate(level)])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


def _explain(failure: Failure) -> None:
    print(f"tcworker run: a fault of its own: {failure.getTraceback()}", file=sys.stderr)
