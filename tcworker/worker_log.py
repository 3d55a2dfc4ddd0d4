"""The worker's own log: lines that say when, how grave, from where and about which run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, cast

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
)

from tcworker.task.claim import write_date

# Tasks' names and servers' messages end up in lines: none of them may move an operator's cursor.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


NOISY = ("twisted.web.client._HTTP11ClientFactory",)
"""Who says something at each connection."""

_SOCKET = re.compile(r"control calls starting on |\(UNIX Port .* Closed\)")

LINES_A_MINUTE = 10


class LineRation:
    """What may be said of one kind of thing in a minute, so that a flood of them fills no disk.

    @param seconds: gives those of a clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._began, self._said, self._left_out = seconds(), 0, 0

    def take(self) -> str | None:
        """Give what the line ends with, which says how many were left out before it; C{None} if it is left out, too."""
        now = self._seconds()
        # However the clock is set.
        if not 0 <= now - self._began < 60:
            self._began, self._said = now, 0
        if self._said == LINES_A_MINUTE:
            self._left_out += 1
            return None
        self._said += 1
        left_out, self._left_out = self._left_out, 0
        return f" ({left_out} lines like this were left out)" if left_out else ""


class RunLogger(Logger):
    """A logger whose lines say which run they are about.

    @param run: C{taskId/runId}.
    @param namespace: by default the module that makes it.
    """

    def __init__(self, run: str, namespace: str | None = None) -> None:
        super().__init__(namespace or sys._getframe(1).f_globals["__name__"])
        self._run = run

    def emit(self, level: LogLevel, format: str | None = None, **kwargs: object) -> None:
        super().emit(level, format, run=self._run, **kwargs)


def text_observer(stream: IO[str] | IO[bytes]) -> ILogObserver:
    """Make an observer that writes lines for people; those that continue an event begin with a tab."""
    return _observer(stream, _format_text)


def json_observer(stream: IO[str] | IO[bytes]) -> ILogObserver:
    """Make an observer that writes one JSON object a line.

    Its keys: C{time}, C{level}, C{namespace}, C{message}, and C{run} and C{traceback} where there are.
    """
    return _observer(stream, _format_json)


OBSERVERS: dict[str, Callable[[IO[str] | IO[bytes]], ILogObserver]] = {
    "text": text_observer,
    "json": json_observer,
}
"""What C{--log-format} can say."""


def _observer(stream: IO[str] | IO[bytes], format: Callable[[LogEvent], str]) -> ILogObserver:
    lines = FileLogObserver(cast(IO[str], stream), lambda event: None if _is_of_socket(event) else format(event))
    levels = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
    for namespace in NOISY:
        levels.setLogLevelForNamespace(namespace, LogLevel.warn)
    return FilteringLogObserver(lines, [levels])


def _is_of_socket(event: LogEvent) -> bool:
    """Whether Twisted speaks of the control socket, whose address may be one that nobody else can use."""
    return event.get("log_namespace") == "log_legacy" and _SOCKET.match(str(event.get("log_text"))) is not None


def _format_text(event: LogEvent) -> str:
    run = f"[{event['run']}] " if "run" in event else ""
    text = f"{_time(event)} {_level(event)} [{_namespace(event)}] {run}{_text(event, traceback=True)}"
    # What begins a line is an event: nobody can make one up by a line break in a name.
    return text.translate(_CONTROLS).replace("\n", "\n\t") + "\n"


def _format_json(event: LogEvent) -> str:
    line = {
        "time": _time(event),
        "level": _level(event),
        "namespace": _namespace(event),
        "message": _text(event, traceback=False),
    }
    if "run" in event:
        line["run"] = str(event["run"])
    if event.get("log_failure") is not None:
        line["traceback"] = event["log_failure"].getTraceback()
    return json.dumps(line) + "\n"


def _time(event: LogEvent) -> str:
    return write_date(datetime.fromtimestamp(event.get("log_time", 0), UTC))


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return level.name if level is not None else "info"


def _namespace(event: LogEvent) -> str:
    return str(event.get("log_namespace", "-"))


def _text(event: LogEvent, *, traceback: bool) -> str:
    return eventAsText(event, includeTraceback=traceback, includeTimestamp=False, includeSystem=False).rstrip("\n")
