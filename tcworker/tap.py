"""C{twistd tcworker}: its options, and the service that it runs."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import IO, Any, cast

from twisted.logger import ILogObserver
from twisted.python import usage
from twisted.python.components import Componentized
from twisted.python.logfile import LogFile

from tcworker.assemble import new_worker
from tcworker.config import load_files
from tcworker.errors import ConfigError, ProcessStatus
from tcworker.running import WorkerProcess, end_for_sure, end_in_time
from tcworker.watch.process import look_after
from tcworker.worker_log import OBSERVERS


class Options(usage.Options):
    """What C{twistd tcworker} takes."""

    synopsis = "[options] --config FILE"

    longdesc = (
        "Claims tasks of a Taskcluster queue and runs them. SIGTERM ends the running tasks, which other workers then"
        " take; SIGINT lets them finish first; a second signal leaves five seconds."
    )

    optParameters = (("log-format", None, None, "text or json, on stderr or where --logfile says [default: text]"),)

    compData = usage.Completions(
        optActions={"config": usage.CompleteFiles(), "log-format": usage.CompleteList(["text", "json"])}
    )

    def __init__(self) -> None:
        super().__init__()
        self["configs"] = []

    def opt_config(self, path: str) -> None:
        """A file of settings, YAML or JSON; may be given several times, later ones win."""
        self["configs"].append(path)

    opt_c = opt_config

    def postOptions(self) -> None:
        """Refuse what cannot be run."""
        if not self["configs"]:
            raise usage.UsageError("say which settings to use: --config FILE")
        if self["log-format"] not in (None, *OBSERVERS):
            raise usage.UsageError(f"--log-format is {' or '.join(OBSERVERS)}, not {self['log-format']}")


class TwistdWorker(WorkerProcess):
    """A worker as the service that C{twistd} runs.

    @ivar observer: the log observer for the application; C{None} leaves the log to twistd.
    """

    observer: ILogObserver | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Join an application and bring the log observer along, which gives way to C{--logger}."""
        if self.observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.observer)
        super().setServiceParent(parent)


class StatusAtExit:
    """Ends the process with a status of its own, after twistd has removed its pid file and closed its log.

    twistd has no way to say a status; so it is said when Python has done everything else.
    """

    def __init__(self) -> None:
        self._status: int = ProcessStatus.DONE
        atexit.register(self._enforce)

    def set(self, status: int) -> None:
        """Say which status, once nothing but the process's own end is left."""
        self._status = status
        end_for_sure(status)

    def _enforce(self) -> None:
        if self._status:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self._status)


def makeService(options: Options) -> TwistdWorker:
    """Make what C{twistd} runs; settings that cannot be used are all printed, and the process exits."""
    # Only now: twistd's --reactor has had its say.
    from twisted.internet import reactor

    try:
        worker = new_worker(reactor, load_files(options["configs"]))
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    service = TwistdWorker(reactor, worker, StatusAtExit().set, end_in_time)
    look_after(service, reactor, worker)
    service.observer = _observer(options, reactor)
    return service


def _observer(options: Options, reactor: Any) -> ILogObserver | None:
    """Make the log's observer; none for syslog, nor where nothing is known about twistd (in a C{.tac})."""
    twistd = options.parent
    if twistd is None:
        return OBSERVERS[options["log-format"]](sys.stderr) if options["log-format"] else None
    # twistd makes that observer itself.
    if twistd.get("syslog"):
        return None
    stream = _stream(twistd.get("logfile"), bool(twistd.get("nodaemon") or twistd.get("debug")), reactor)
    return OBSERVERS[options["log-format"] or "text"](stream) if stream else None


def _stream(path: str | None, foreground: bool, reactor: Any) -> IO[Any] | None:
    """Open what C{--logfile} says; C{None} for what twistd itself refuses."""
    if path == "-":
        return sys.stdout if foreground else None
    if foreground and not path:
        return sys.stderr
    file = LogFile.fromFullPath(path or "twistd.log")
    # As twistd does with a log file of its own.
    signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(file.rotate))
    return cast(IO[bytes], file)
