"""What a worker remembers when it dies: the runs in its hands, and what it owes the queue about each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.interfaces import Credentials, SandboxRecord
from tcworker.state_folder import StateFolder, unusable
from tcworker.task.claim import Claim, read_date, write_date
from tcworker.task.resolution import Resolution
from tcworker.waiting import Threads

_UNREADABLE = (
    "the run {task_id}/{run_id} in {path} cannot be read ({problem}) and is left out: the queue is not told how it "
    "ended, and learns that when the claim runs out. What it left in tasksDir can be removed by hand."
)

_RUNS = "SELECT task_id, run_id, taken_until, credentials, sandbox, state, reason, reported FROM runs ORDER BY rowid"

_log = Logger()


@dataclass(frozen=True)
class RunRecord:
    """One claimed run; a run with a resolution that is not reported is owed to the queue.

    @ivar credentials: the run's newest.
    @ivar sandbox: where it ran, C{None} before that.
    @ivar resolution: how it ended, C{None} while that is open.
    """

    task_id: str
    run_id: int
    taken_until: datetime
    credentials: Credentials
    sandbox: SandboxRecord | None = None
    resolution: Resolution | None = None
    reported: bool = False

    @property
    def name(self) -> str:
        """C{taskId/runId}, as in the worker's log."""
        return self.claim().name

    def claim(self, task: Mapping[str, Any] = MappingProxyType({})) -> Claim:
        """The claim as it is remembered.

        @param task: what is known of the definition, which is not remembered.
        """
        return Claim(self.task_id, self.run_id, task, self.taken_until, self.credentials)


class RunStore(Protocol):
    """What runs are remembered in: L{StateStore}, as far as they use it."""

    def claimed(self, record: RunRecord, /) -> Deferred[None]: ...

    def reclaimed(
        self, task_id: str, run_id: int, taken_until: datetime, credentials: Credentials, /
    ) -> Deferred[None]: ...

    def sandboxed(self, task_id: str, run_id: int, sandbox: SandboxRecord, /) -> Deferred[None]: ...

    def decided(self, task_id: str, run_id: int, resolution: Resolution, /) -> Deferred[None]: ...

    def reported(self, task_id: str, run_id: int, /) -> Deferred[None]: ...

    def done(self, task_id: str, run_id: int, /) -> Deferred[None]: ...

    def runs(self) -> Deferred[list[RunRecord]]: ...

    def count_task(self) -> Deferred[None]: ...

    def tasks_counted(self) -> Deferred[int]: ...

    def count_anew(self) -> Deferred[None]: ...


class StateStore:
    """The state directory of one worker; calls take effect in the order in which they were made.

    What was written survives the worker's death by any signal. Changes to a run that is not there are ignored.
    """

    def __init__(self, threads: Threads, folder: StateFolder) -> None:
        self._threads = threads
        self._folder = folder
        self._waiting: list[_Write] = []
        self._writing = False

    @classmethod
    def open(cls, reactor: IReactorThreads, folder: str) -> Deferred[StateStore]:
        """Lock a folder, made if need be, and open what is in it.

        Fails with L{StateDirectoryTaken}, L{StateUnusable} or C{OSError}.
        """
        return Deferred.fromCoroutine(cls._open(reactor, folder))

    @classmethod
    async def _open(cls, reactor: IReactorThreads, path: str) -> StateStore:
        # One thread keeps the order of calls, and SQLite has one writer.
        threads = Threads(reactor, 1, "state")
        opened: list[StateFolder] = []
        try:
            # All of it in the thread: a disk may take its time to answer.
            await threads.run(lambda: opened.append(StateFolder.open(path)))
        except BaseException:
            # Nobody may wait any more for what the thread still opens.
            await threads.run(_close, opened)
            await threads.stop()
            raise
        return cls(threads, opened[0])

    def claimed(self, record: RunRecord) -> Deferred[None]:
        """Remember a run; to be awaited before anything of its task happens."""
        return self._write(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            record.task_id,
            record.run_id,
            write_date(record.taken_until),
            _write_credentials(record.credentials),
            _write_sandbox(record.sandbox) if record.sandbox else None,
            record.resolution.state if record.resolution else None,
            record.resolution.reason if record.resolution else None,
            record.reported,
        )

    def reclaimed(self, task_id: str, run_id: int, taken_until: datetime, credentials: Credentials) -> Deferred[None]:
        """Keep the credentials of a reclaim; to be awaited before they are used."""
        return self._set(
            task_id, run_id, taken_until=write_date(taken_until), credentials=_write_credentials(credentials)
        )

    def sandboxed(self, task_id: str, run_id: int, sandbox: SandboxRecord) -> Deferred[None]:
        """Say where the run's processes and files are."""
        return self._set(task_id, run_id, sandbox=_write_sandbox(sandbox))

    def decided(self, task_id: str, run_id: int, resolution: Resolution) -> Deferred[None]:
        """Say how the run ended, which the queue is to be told."""
        return self._set(task_id, run_id, state=resolution.state, reason=resolution.reason)

    def reported(self, task_id: str, run_id: int) -> Deferred[None]:
        """The queue knows how the run ended."""
        return self._set(task_id, run_id, reported=True)

    def done(self, task_id: str, run_id: int) -> Deferred[None]:
        """Forget a run, of which nothing is left and nothing owed."""
        return self._write("DELETE FROM runs WHERE task_id = ? AND run_id = ?", task_id, run_id)

    def runs(self) -> Deferred[list[RunRecord]]:
        """All runs that are remembered, but for those that cannot be read, which are logged.

        Fails with L{StateUnusable}.
        """
        return Deferred.fromCoroutine(self._runs())

    async def _runs(self) -> list[RunRecord]:
        rows = await self._read(_RUNS)
        return [run for row in rows if (run := self._try_to_read(row)) is not None]

    def _try_to_read(self, row: tuple[Any, ...]) -> RunRecord | None:
        try:
            return _read_run(*row)
        except Exception as error:  # whatever comes of a row that somebody or something has changed
            problem = f"{type(error).__name__}: {error}"
            # One run that is lost shall not keep the worker from the others.
            _log.error(_UNREADABLE, task_id=row[0], run_id=row[1], path=self._folder.path, problem=problem)
            return None

    def count_task(self) -> Deferred[None]:
        """Count one more task that this machine begins."""
        return self._write("INSERT INTO counts VALUES ('tasks', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1")

    def tasks_counted(self) -> Deferred[int]:
        """How many were counted. Fails with L{StateUnusable}."""
        counted = Deferred.fromCoroutine(self._read("SELECT value FROM counts WHERE name = 'tasks'"))
        return counted.addCallback(lambda rows: rows[0][0] if rows else 0)

    def count_anew(self) -> Deferred[None]:
        """Forget what was counted."""
        return self._write("DELETE FROM counts WHERE name = 'tasks'")

    def write(self, statement: str, *values: str | float | None) -> Deferred[None]:
        """Change a table that another part keeps here."""
        return self._write(statement, *values)

    def read(self, question: str) -> Deferred[list[tuple[Any, ...]]]:
        """Read such a table, with all that was written before. Fails with L{StateUnusable}."""
        return Deferred.fromCoroutine(self._read(question))

    def close(self) -> Deferred[None]:
        """Finish what was asked for, close everything and give the folder up; to be called once."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        try:
            # What waits is written before this is.
            await self._write("SELECT 1")
        finally:
            try:
                await self._threads.run(self._folder.close)
            finally:
                await self._threads.stop()

    def _set(self, task_id: str, run_id: int, **columns: str | bool) -> Deferred[None]:
        # Names of columns are our own; values are bound.
        assignments = ", ".join(f"{column} = ?" for column in columns)
        return self._write(
            f"UPDATE runs SET {assignments} WHERE task_id = ? AND run_id = ?", *columns.values(), task_id, run_id
        )

    async def _read(self, question: str) -> list[tuple[Any, ...]]:
        try:
            # What was asked for before is written before this is read.
            await self._write("SELECT 1")
            return await self._threads.run(_ask, self._folder.database, question)
        except sqlite3.DatabaseError as error:
            raise unusable(self._folder.path, error) from error

    def _write(self, statement: str, *values: str | float | None) -> Deferred[None]:
        write = _Write(statement, values)
        self._waiting.append(write)
        if not self._writing:
            self._write_waiting()
        return write.written

    def _write_waiting(self) -> None:
        """Write all that waits, at once: going to the thread and back costs more than a statement does."""
        writes, self._waiting = self._waiting, []
        self._writing = True
        self._threads.run(_execute, self._folder.database, writes).addBoth(self._wrote, writes)

    def _wrote(self, result: Failure | None, writes: Sequence[_Write]) -> None:
        self._writing = False
        if self._waiting:
            self._write_waiting()
        for write in writes:
            if result is None:
                write.written.callback(None)
            else:
                write.written.errback(result)


@dataclass(frozen=True)
class _Write:
    """A change that is still to be made.

    @ivar written: fires when it is made; who no longer waits for that changes nothing.
    """

    statement: str
    values: tuple[str | float | None, ...]
    written: Deferred[None] = field(default_factory=Deferred)


def _execute(database: sqlite3.Connection, writes: Sequence[_Write]) -> None:
    """Make all changes or none."""
    database.execute("BEGIN IMMEDIATE")
    try:
        for write in writes:
            database.execute(write.statement, write.values)
        database.execute("COMMIT")
    except BaseException:
        # A full disk has undone it by itself.
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _ask(database: sqlite3.Connection, question: str) -> list[tuple[Any, ...]]:
    return database.execute(question).fetchall()


def _read_run(
    task_id: str,
    run_id: int,
    taken_until: str,
    credentials: str,
    sandbox: str | None,
    state: str | None,
    reason: str | None,
    reported: int,
) -> RunRecord:
    # SQLite puts anything into any column.
    if not isinstance(task_id, str) or not isinstance(run_id, int):
        raise TypeError("the id is none")
    return RunRecord(
        task_id,
        run_id,
        read_date(taken_until),
        Credentials.from_json(json.loads(credentials)),
        _read_sandbox(json.loads(sandbox)) if sandbox else None,
        Resolution(state, reason) if state and reason else None,
        bool(reported),
    )


def _close(folders: Sequence[StateFolder]) -> None:
    for folder in folders:
        folder.close()


def _write_credentials(credentials: Credentials) -> str:
    return json.dumps(
        {
            "clientId": credentials.client_id,
            "accessToken": credentials.access_token,
            "certificate": credentials.certificate,
        }
    )


def _write_sandbox(sandbox: SandboxRecord) -> str:
    return json.dumps({"platform": sandbox.platform, "details": dict(sandbox.details)})


def _read_sandbox(stored: Mapping[str, Any]) -> SandboxRecord:
    return SandboxRecord(stored["platform"], stored["details"])
