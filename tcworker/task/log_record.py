"""What is beside a raw log, so that another process can publish it as the one that wrote it would have.

The raw log is unmasked. So whoever publishes it must know all that was to be masked in it; a log without that, or with
less than all of that, stays on the machine. The record is as private as the raw log (0600, in the state directory), one
JSON object a line: the first when the log is begun, then what comes to be known.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from twisted.logger import Logger

from tcworker.errors import ResourceUnavailable
from tcworker.launcher.sink import write_all
from tcworker.line_pattern import PatternFault
from tcworker.task.claim import read_date, write_date
from tcworker.task.log_names import LogNames
from tcworker.task.masks import LogMasks
from tcworker.task.verdict import Verdict
from tcworker.waiting import Executor

NAME = "live.log.record"

_log = Logger()


class RecordUnreadable(Exception):
    """A log's record is not whole: nobody knows what is to be masked in the log."""


@dataclass(frozen=True)
class LogRecord:
    """What is to be known of a log.

    @ivar limit: bytes that it may have, 0 for no limit.
    @ivar expires: when its artifacts do.
    @ivar patterns: the texts of those that are masked in it.
    @ivar literals: what else is.
    @ivar has_checkpoint: whether one may be listed; nobody knows whether it is there, or what it shows.
    @ivar is_published: whether the whole log is where it belongs; nobody knows of what leads there.
    @ivar has_verdict: whether the run's verdict is where it belongs.
    @ivar verdict: the last one that was to be published, and when the run's end was decided; C{None} if there was none.
    @ivar seconds_left: in which its worker had to be gone when it was first told to go; C{None} if it was not.
    """

    limit: int
    expires: datetime
    names: LogNames = field(default_factory=LogNames)
    patterns: Sequence[str] = field(default=(), repr=False)
    literals: Sequence[bytes] = field(default=(), repr=False)
    has_checkpoint: bool = False
    is_published: bool = False
    has_verdict: bool = False
    verdict: tuple[Verdict, datetime] | None = field(default=None, repr=False)
    seconds_left: float | None = None

    @classmethod
    def read(cls, folder: str) -> LogRecord:
        """Read that of the log in a folder; it blocks. Raises L{RecordUnreadable}."""
        try:
            with open(os.path.join(folder, NAME), "rb") as file:
                return _read(file.read())
        except FileNotFoundError:
            why = f"there is no {NAME} beside it: its worker was an older tcworker, or had no room to write that"
            raise RecordUnreadable(why) from None
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            # Not its text, which may show what was to be masked.
            raise RecordUnreadable(type(error).__name__) from None

    def masks(self, more: LogMasks) -> LogMasks:
        """Give all that is to be masked in the log, with what this process masks in every log.

        Raises L{RecordUnreadable} if this process does not understand a pattern.
        """
        try:
            return more.with_own(self.literals).with_patterns(self.patterns)
        except PatternFault:
            raise RecordUnreadable("a pattern cannot be understood") from None


class RecordFile:
    """The record of a log, to which more is added.

    @param threads: see to it that it is on the disk before much of the log is.
    """

    def __init__(self, folder: str, threads: Executor) -> None:
        self._path = os.path.join(folder, NAME)
        self._threads = threads

    @classmethod
    def begin(cls, folder: str, record: LogRecord, threads: Executor) -> RecordFile:
        """Begin that of a new log. Raises L{ResourceUnavailable}."""
        file = cls(folder, threads)
        first = {"limit": record.limit, "expires": write_date(record.expires), "patterns": list(record.patterns)}
        try:
            file._append({**first, "literals": _texts(record.literals)}, os.O_CREAT | os.O_EXCL)
        except OSError as error:
            raise ResourceUnavailable.no_disk(f"cannot begin {file._path}: {error.strerror}", folder, error) from error
        return file

    def name(self, names: LogNames) -> None:
        """Say under which names the log is to be published; without this they are the usual ones."""
        self._add({"names": {"live": names.live, "backing": names.backing, "published": names.published}})

    def mask(self, literals: Iterable[bytes]) -> None:
        """Say what else is to be masked in the log, before it can be in there."""
        self._add({"literals": _texts(literals)})

    def checkpoint(self) -> None:
        """Say that there will be a checkpoint of the log, before anybody is told."""
        self._add({"checkpoint": True})

    def going(self, seconds: float) -> None:
        """Say that the worker must be gone in so many seconds."""
        self._note({"going": seconds})

    def ends(self, verdict: Verdict, time: datetime) -> None:
        """Say why the run ends, and when that was decided. Where that cannot be said, how it ended is still known."""
        self._note({"ends": {**verdict.as_json(), "time": write_date(time)}})

    def published(self) -> None:
        """Say that the whole log is where it belongs. Where that cannot be said, it is put there once more."""
        self._note({"published": True})

    def verdict_published(self) -> None:
        """Say that the run has a verdict."""
        self._note({"verdict": True})

    def _note(self, line: Mapping[str, Any]) -> None:
        # No secret is at stake, and who reads it has this machine's disk: there is no time for a sync now.
        with suppress(OSError):
            self._append(line)

    def _add(self, line: Mapping[str, Any]) -> None:
        try:
            self._append(line)
        except OSError as error:
            _log.warn("should this worker die, a task's log will not be published: {error}", error=error.strerror)
            # Better no log than one with a secret in it.
            with suppress(OSError):
                os.unlink(self._path)
        else:
            self._threads.run(_sync, self._path).addErrback(lambda failure: _log.failure("a sync failed", failure))

    def _append(self, line: Mapping[str, Any], flags: int = 0) -> None:
        # Somebody's feature may have evidence that is no JSON.
        text = json.dumps(line, default=str).encode() + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
        try:
            self._write_whole(descriptor, text)
        finally:
            os.close(descriptor)

    def _write_whole(self, descriptor: int, text: bytes) -> None:
        size = os.fstat(descriptor).st_size
        try:
            write_all(descriptor, text)
        except OSError:
            # Half a line would make all of it unreadable.
            os.ftruncate(descriptor, size)
            raise


def _texts(literals: Iterable[bytes]) -> list[str]:
    return [literal.decode("latin-1") for literal in literals]


def _sync(path: str) -> None:
    # Gone with its run, perhaps.
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _verdict(found: Mapping[str, Any]) -> tuple[Verdict, datetime]:
    return Verdict.from_json(found), read_date(found["time"])


def _read(text: bytes) -> LogRecord:
    first, *more = [json.loads(line) for line in text.split(b"\n")[:-1]]
    if not text.endswith(b"\n"):
        raise ValueError("its last line is not whole")
    names = [LogNames(**line["names"]) for line in more if "names" in line]
    literals = [literal.encode("latin-1") for line in (first, *more) for literal in line.get("literals", [])]
    return LogRecord(
        limit=int(first["limit"]),
        expires=read_date(first["expires"]),
        names=names[-1] if names else LogNames(),
        patterns=[str(pattern) for pattern in first["patterns"]],
        literals=literals,
        has_checkpoint=any("checkpoint" in line for line in more),
        is_published=any("published" in line for line in more),
        has_verdict=any("verdict" in line for line in more),
        verdict=next((_verdict(line["ends"]) for line in reversed(more) if "ends" in line), None),
        seconds_left=next((float(line["going"]) for line in more if "going" in line), None),
    )
