"""The log of one run: written raw, masked and compressed while it grows, sealed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.errors import ResourceUnavailable
from tcworker.interfaces import ILentLog, ITaskLog, Unsubscribe
from tcworker.task import log_framing
from tcworker.task.jobs import Jobs
from tcworker.task.log_compression import GzippedLog, LogCompression
from tcworker.task.log_follow import Follower
from tcworker.task.log_gzip import PIECE, LogReader
from tcworker.task.log_memory import compress_in_memory
from tcworker.task.log_names import LogNames
from tcworker.task.log_pump import SMALL
from tcworker.task.log_raw import LentLog, RawLog
from tcworker.task.log_record import RecordFile
from tcworker.task.log_snapshot import Snapshot
from tcworker.task.masks import LogMasks
from tcworker.task.secret_forms import forms_of
from tcworker.task.verdict import Verdict
from tcworker.waiting import Executor, Loose, now

_log = Logger()

_LOOK_EVERY = 0.25
"""Seconds between two looks at a log that somebody else writes."""

_CATCH_UP = 5.0
"""Seconds for which a snapshot waits for what is compressed as the log grows; a task may print faster than that."""

_MOST_UNWRITTEN = 64 * 1024
"""Bytes kept in memory for the end of a log that the disk did not take."""


@implementer(ITaskLog)
class TaskLog:
    """The log of one run.

    The raw file is in the run's own folder, and for no task to read. What is in it goes through the masks into a gzip
    stream while it grows, so that at the end only the last piece is left to be compressed.

    @param threads: for logs that grow fast; what is little is done at once.
    @param limit: bytes that the log may have, 0 for no limit; of a longer one the middle is missing.
    @param broken: is told, once, that the log cannot be written; it goes on as well as it can.
    @param masks: what must not leave the machine in this log; this log's own from now on.
    @param record: where all of that is kept for another process, should this one die.
    @param opening: makes the raw log's files, or opens them again.
    @raise ResourceUnavailable: the log cannot even be begun.
    """

    def __init__(
        self,
        folder: str,
        clock: IReactorTime,
        threads: Executor,
        *,
        limit: int,
        broken: Callable[[ResourceUnavailable], None],
        masks: LogMasks | None = None,
        record: RecordFile | None = None,
        opening: Callable[[str, int], RawLog] = RawLog.begin,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._threads = threads
        self._jobs = Jobs(threads)
        self._tell_broken: Callable[[ResourceUnavailable], None] | None = broken
        self._masks = masks or LogMasks()
        self._record = record
        self._gap: list[int] = []
        self._last_printed = clock.seconds()
        self._printed = self._said = 0
        self._last_line = b""
        self._append: Callable[[bytes], None] | None = None
        self._lent: LentLog | None = None
        self._timer: IDelayedCall | None = None
        self._followers: list[Follower] = []
        self._finishing = Loose(_log)
        self._sealed = self._disposed = self._told_late = False
        self._unwritten = bytearray()
        self._raw = _open(opening, folder, limit)
        self._compression = self._new_compression()

    def mask(self, secret: str) -> None:
        """Let a secret not leave the machine in this log from now on, earlier output included.

        What a follower was already given cannot be taken back. One of fewer than 6 bytes is not masked.
        """
        forms = forms_of(secret)
        if not forms:
            _log.warn("a secret is too short to be masked in a task's log: it has fewer than 6 bytes")
        self.mask_exactly(forms)

    def mask_exactly(self, literals: Iterable[bytes]) -> None:
        """Mask some bytes from now on, in no other form than this."""
        new = self._masks.add(literals)
        if new and self._record is not None:
            self._record.mask(new)

    def on_late_secret(self, call: Callable[[], None]) -> None:
        """Have this called when something that must not be seen is found in what snapshots may have had."""
        self._compression.late_secret = call

    def name(self, names: LogNames) -> None:
        """Say under which names it is to be published; without this they are the usual ones."""
        if self._record is not None and names != LogNames():
            self._record.name(names)

    def hide(self, text: str) -> str:
        """Give a text as it may be published beside this log: what is masked in here is masked in it."""
        return self._masks.hide(text)

    def last_printed(self) -> float:
        """See L{ITaskLog.last_printed}."""
        self._see_output()
        return self._last_printed

    def info(self, message: str) -> None:
        """See L{ITaskLog.info}."""
        # Where report and log come first, artifacts are still spoken of when it has ended: that is no news.
        self._write_line(log_framing.info(now(self._clock), message), is_news=False)

    def warn(self, message: str) -> None:
        """See L{ITaskLog.warn}."""
        self._write_line(log_framing.warn(now(self._clock), message))

    def error(self, message: str) -> None:
        """See L{ITaskLog.error}."""
        self._write_line(log_framing.error(message))

    def end_with(self, error: str) -> None:
        """Let an error be what the log ends with: write it, unless it has just been written."""
        line = log_framing.error(error)
        if line != self._last_line and not (self._raw.is_left and self._raw.ends_with(line)):
            self.error(error)

    def write(self, data: bytes) -> None:
        """See L{ITaskLog.write}."""
        self._last_line = b""
        if self._append is not None:
            self._append(data)
        elif not self._sealed:
            self._put(self._raw.write, data)
            self._see_output()

    def lend(self, append: Callable[[bytes], None]) -> ILentLog:
        """See L{ITaskLog.lend}."""
        self._lent = self._raw.lend(self._given_back)
        self._append = append
        self._timer = self._clock.callLater(_LOOK_EVERY, self._look)
        return self._lent

    def follow(self, call: Callable[[bytes], None]) -> Unsubscribe:
        """See L{ITaskLog.follow}. A few pieces may come before this returns."""
        if self._disposed:
            # The raw file's descriptor may be somebody else's by now.
            call(b"")
            return lambda: None
        follower = Follower(self._new_reader(), self._threads, lambda: self._raw.size, call, self._masks.at_once)
        self._followers.append(follower)
        if self._sealed:
            self._finish(follower)
        else:
            follower.kick()
        return follower.leave

    def note_checkpoint(self) -> None:
        """Say that snapshots of it are about to be published."""
        if self._record is not None:
            self._record.checkpoint()

    def note_going(self, seconds: float) -> None:
        """Say that the worker must be gone in so many seconds: it may not come to publish this log."""
        if self._record is not None:
            self._record.going(seconds)

    def snapshot(self) -> Deferred[GzippedLog]:
        """Give the log as it is now, to whoever closes the file; not of a sealed log, and over before L{dispose}.

        Fails with C{OSError} where there is no room for it.
        """
        return Deferred.fromCoroutine(self._take_snapshot())

    def published(self) -> None:
        """The sealed log is where it belongs: no other process is to put it there once more."""
        if self._record is not None:
            self._record.published()

    def note_verdict(self, verdict: Verdict, time: datetime) -> None:
        """Say why the run ends, and when that was decided: another process may have to publish it."""
        if self._record is not None:
            self._record.ends(verdict, time)

    def verdict_published(self) -> None:
        """The run's verdict is where it belongs, too."""
        if self._record is not None:
            self._record.verdict_published()

    def seal(self) -> Deferred[GzippedLog]:
        """Give the whole log; nothing is written to it from now on. To be called once."""
        return Deferred.fromCoroutine(self._seal())

    def dispose(self) -> Deferred[None]:
        """Close all files, once those who follow a sealed log have all of it."""
        return Deferred.fromCoroutine(self._dispose())

    def _write_line(self, line: bytes, *, is_news: bool = True) -> None:
        self._said += len(line)
        self._last_line = line
        if self._sealed:
            if is_news:
                self._tell_late(line)
        elif self._append is not None:
            self._append(line)
        else:
            self._put(self._raw.write_line, line)

    def _tell_late(self, line: bytes) -> None:
        # Where report and log come first, there may be one for each artifact.
        if not self._told_late:
            self._told_late = True
            text = line.decode(errors="replace").rstrip()
            _log.warn("a line came after the end of a task's log, others may have, too: {line}", line=text)

    def _put(self, write: Callable[[bytes], None], data: bytes) -> None:
        if self._sealed:
            return
        # What another process left stays as it is: who knows who will have to begin with it again.
        if self._raw.is_left:
            self._unwritten += data
            return
        try:
            write(data)
        except OSError as error:
            # The last lines are those that say why the run ends.
            if len(self._unwritten) < _MOST_UNWRITTEN:
                self._unwritten += data
            self._broken(error)
        self._grown(PIECE)

    def _look(self) -> None:
        self._timer = self._clock.callLater(_LOOK_EVERY, self._look)
        self._see_output()
        self._grown(0)

    def _grown(self, much: int) -> None:
        """Tell those who follow, and compress what came if it is more than C{much}."""
        for follower in self._followers:
            follower.kick()
        # A short log is compressed once, at its end: that is what makes it cheap.
        if self._compression.behind() > much:
            self._compression.kick()

    def _see_output(self) -> None:
        # A line that the worker said may still be on its way: then it looks as if there was less, for a moment.
        printed = self._raw.written - self._said
        if printed > self._printed:
            self._printed, self._last_printed = printed, self._clock.seconds()

    def _given_back(self) -> None:
        self._append = self._lent = None
        self._stop_looking()
        if not self._disposed:
            self._grown(PIECE)

    def _stop_looking(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    async def _take_snapshot(self) -> GzippedLog:
        # What is found too late in the log is found in what was read for its end: no snapshot has more of it.
        with suppress(TimeoutError):
            await self._compression.caught_up().addTimeout(_CATCH_UP, self._clock)
        size = self._compression.offset
        reader = LogReader(self._raw.descriptor, self._masks, end=size)
        last = log_framing.so_far(now(self._clock), self._raw.written - size)
        snapshot = Snapshot(reader, size, self._folder, self._threads, self._masks.at_once)
        return GzippedLog(*await snapshot.take(last))

    async def _seal(self) -> GzippedLog:
        # A sandbox that was dropped never gives it back.
        if self._lent is not None:
            self._lent.give_back()
        self._sealed = True
        if self._raw.has_end:
            await self._join_end()
        await self._compression.caught_up()
        # Followers may take their time: the upload does not wait for them.
        for follower in self._followers:
            self._finish(follower)
        sealed = self._compression.finish(bytes(self._unwritten))
        return await self._jobs.run(self._seal_in_memory) if sealed is None else sealed

    def _seal_in_memory(self) -> GzippedLog:
        file, length = compress_in_memory(self._new_reader(), f"{self._raw.path}.gz", bytes(self._unwritten))
        return GzippedLog(file, length)

    def _new_compression(self) -> LogCompression:
        return LogCompression(
            f"{self._raw.path}.gz",
            self._new_reader(),
            self._threads,
            size=lambda: self._raw.size,
            broken=self._broken,
            at_once=self._masks.at_once,
        )

    def _new_reader(self) -> LogReader:
        return LogReader(self._raw.descriptor, self._masks, self._gap, is_cut=self._raw.is_left)

    async def _join_end(self) -> None:
        time = now(self._clock)

        def notice(missing: int) -> bytes:
            line = log_framing.cut(time, missing, self._raw.limit)
            # Before it is written: whoever reads it must know that something is lost here.
            self._gap[:] = [self._raw.size, self._raw.size + len(line)]
            return line

        try:
            await self._jobs.run(self._raw.join_end, notice)
        except OSError as error:
            self._broken(error)

    async def _dispose(self) -> None:
        self._stop_looking()
        # No file is closed while a thread may still read it.
        await self._jobs.settled()
        await self._compression.stop()
        await self._finishing.wait()
        for follower in self._followers:
            await follower.stop()
        if not self._disposed:
            self._sealed = self._disposed = True
            # Nobody else has these files: the system frees their blocks while they are closed.
            if self._raw.written <= SMALL:
                self._close()
            else:
                await self._jobs.run(self._close)

    def _close(self) -> None:
        self._raw.close()
        self._compression.close()

    def _finish(self, follower: Follower) -> None:
        self._finishing.run(follower.finish(), "giving the rest of a task's log to a follower")

    def _broken(self, error: OSError) -> None:
        """Say once that the disk does not take the log."""
        # Telling it ends the run, whose last lines are then written, and fail, in here.
        tell, self._tell_broken = self._tell_broken, None
        if tell is not None:
            why = f"cannot write the task's log, {self._raw.path}: {error.strerror}"
            tell(ResourceUnavailable.no_disk(why, self._raw.path, error))


def _open(opening: Callable[[str, int], RawLog], folder: str, limit: int) -> RawLog:
    try:
        return opening(folder, limit)
    except OSError as error:
        why = f"cannot begin the task's log in {folder}: {error.strerror}"
        raise ResourceUnavailable.no_disk(why, folder, error) from error
