"""What a worker remembers, who may read it and who holds it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from tcworker import state_folder
from tcworker.errors import StateDirectoryTaken, StateUnusable
from tcworker.interfaces import Credentials, SandboxRecord
from tcworker.state import RunRecord, StateStore
from tcworker.task.resolution import COMPLETED, FAILED, WORKER_SHUTDOWN
from tests.chances import chances
from tests.surroundings import only_root, open_folder

OUTCOMES = (COMPLETED, WORKER_SHUTDOWN)
TAKEN_UNTIL = datetime(2026, 1, 1, 12, tzinfo=UTC)


def record(task_id: str = "task-1", run_id: int = 0, **more: Any) -> RunRecord:
    credentials = Credentials("task-client", "token", '{"version": 1}')
    return RunRecord(task_id, run_id, TAKEN_UNTIL, credentials, **more)


def hold(folder: str) -> subprocess.Popen[bytes]:
    """Open a state directory in another process, until its standard input is closed."""
    code = """
        import sys
        from tcworker.state_folder import StateFolder
        folder = StateFolder.open(sys.argv[1])
        print("open", flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def overwrite(path: str) -> None:
    Path(path).write_bytes(b"no database" * 1000)


def garble(path: str) -> None:
    """Spoil all pages but the first, which has the names of the tables."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


class StateTestCase(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())

    async def open(self) -> StateStore:
        store = await StateStore.open(reactor, self.folder)
        return store

    async def left(self) -> list[RunRecord]:
        """What the next worker finds."""
        store = await self.open()
        runs = await store.runs()
        await store.close()
        return runs


class ManyAtOnce(StateTestCase):
    """Changes that come while others are being written."""

    async def test_they_take_effect_in_their_order(self) -> None:
        store = await self.open()
        self.addCleanup(store.close)
        names = [f"task-{number}" for number in range(20)]
        writes = [store.claimed(record(name)) for name in names]
        writes += [store.decided(name, 0, FAILED) for name in names]
        writes += [store.done(name, 0) for name in names[:15]]
        runs = await store.runs()
        self.assertEqual([(run.task_id, run.resolution) for run in runs], [(name, FAILED) for name in names[15:]])
        await gatherResults(writes)

    async def test_closing_waits_for_them(self) -> None:
        store = await self.open()
        writes = [store.claimed(record(f"task-{number}")) for number in range(20)]
        await store.close()
        await gatherResults(writes)
        self.assertEqual(len(await self.left()), 20)

    async def test_one_that_nobody_waits_for_any_more_is_made_all_the_same(self) -> None:
        store = await self.open()
        first, second = store.claimed(record("first")), store.claimed(record("second"))
        second.addErrback(lambda failure: failure.trap(CancelledError))
        second.cancel()
        await first
        await store.close()
        self.assertEqual(len(await self.left()), 2)

    async def test_a_disk_that_is_full_fails_each_of_them(self) -> None:
        store = await self.open()
        self.addCleanup(store.close)
        with mock.patch("tcworker.state._execute", side_effect=sqlite3.OperationalError("database or disk is full")):
            writes = [store.claimed(record(f"task-{number}")) for number in range(3)]
            for write in writes:
                await self.assertFailure(write, sqlite3.OperationalError)
        await store.claimed(record("later"))
        self.assertEqual([run.task_id for run in await store.runs()], ["later"])


class ACount(StateTestCase):
    """Of the tasks that began, for C{numberOfTasksToRun}."""

    async def counted(self, *calls: str) -> int:
        store = await self.open()
        for name in calls:
            await getattr(store, name)()
        count = await store.tasks_counted()
        await store.close()
        return count

    async def test_it_outlives_the_worker(self) -> None:
        self.assertEqual(await self.counted(), 0)
        self.assertEqual(await self.counted("count_task", "count_task"), 2)
        self.assertEqual(await self.counted("count_task"), 3)

    async def test_it_can_be_begun_anew(self) -> None:
        self.assertEqual(await self.counted("count_task", "count_anew"), 0)
        self.assertEqual(await self.counted("count_task"), 1)

    async def test_it_is_told_when_it_cannot_be_read(self) -> None:
        store = await self.open()
        self.addCleanup(store.close)
        with mock.patch("tcworker.state._ask", side_effect=sqlite3.DatabaseError("malformed")):
            await self.assertFailure(store.tasks_counted(), StateUnusable)


class Runs(StateTestCase):
    async def after(self, *calls: tuple[str, tuple[Any, ...]]) -> list[RunRecord]:
        store = await self.open()
        await store.claimed(record())
        for name, arguments in calls:
            await getattr(store, name)(*arguments)
        runs = await store.runs()
        await store.close()
        return runs

    async def test_a_new_folder_has_none(self) -> None:
        self.assertEqual(await self.left(), [])

    async def test_a_claimed_one_comes_back_whole(self) -> None:
        whole = record(sandbox=SandboxRecord("native", {"pid": 7}), resolution=COMPLETED, reported=True)
        store = await self.open()
        await store.claimed(whole)
        self.assertEqual(await store.runs(), [whole])
        await store.close()

    async def test_it_is_as_good_as_its_claim(self) -> None:
        (run,) = await self.after()
        claim = run.claim({"payload": {}})
        self.assertEqual((run.name, claim.name, claim.task), ("task-1/0", "task-1/0", {"payload": {}}))
        self.assertEqual((claim.taken_until, claim.credentials), (run.taken_until, run.credentials))

    async def test_the_newest_credentials_are_kept(self) -> None:
        later, renewed = TAKEN_UNTIL + timedelta(minutes=20), Credentials("task-client", "token-2")
        (run,) = await self.after(("reclaimed", ("task-1", 0, later, renewed)))
        self.assertEqual((run.taken_until, run.credentials), (later, renewed))

    async def test_where_it_runs(self) -> None:
        sandbox = SandboxRecord("native", {"supervisor": 4711, "folder": "/x"})
        (run,) = await self.after(("sandboxed", ("task-1", 0, sandbox)))
        self.assertEqual(run.sandbox, sandbox)

    async def test_how_it_ended_is_owed_until_it_is_reported(self) -> None:
        (run,) = await self.after(("decided", ("task-1", 0, WORKER_SHUTDOWN)))
        self.assertEqual((run.resolution, run.reported), (WORKER_SHUTDOWN, False))
        (run,) = await self.after(("decided", ("task-1", 0, WORKER_SHUTDOWN)), ("reported", ("task-1", 0)))
        self.assertTrue(run.reported)

    async def test_one_that_is_done_is_forgotten(self) -> None:
        self.assertEqual(await self.after(("done", ("task-1", 0))), [])

    async def test_others_are_left_alone(self) -> None:
        other = record(run_id=1)
        runs = await self.after(("claimed", (other,)), ("reported", ("task-1", 0)), ("done", ("task-1", 0)))
        self.assertEqual(runs, [other])

    async def test_changes_to_one_that_is_gone_are_ignored(self) -> None:
        self.assertEqual(await self.after(("done", ("task-1", 0)), ("decided", ("task-1", 0, COMPLETED))), [])

    async def test_calls_take_effect_in_their_order_without_waiting(self) -> None:
        store = await self.open()
        for number in range(20):
            store.claimed(record(run_id=number))
        store.done("task-1", 19)
        self.assertEqual([run.run_id for run in await store.runs()], list(range(19)))
        await store.close()

    async def test_what_was_asked_before_closing_is_done(self) -> None:
        store = await self.open()
        store.claimed(record())
        await store.close()
        self.assertEqual(len(await self.left()), 1)


class AnyLife(StateTestCase):
    """Changes in any order, through any number of lives, leave what they would leave in memory."""

    timeout = 600

    async def setUp(self) -> None:
        super().setUp()
        self.store = await self.open()
        self.expected: dict[tuple[str, int], RunRecord] = {}

    async def tearDown(self) -> None:
        await self.store.close()

    async def test_all_is_remembered(self) -> None:
        for seed, chance in enumerate(chances(10, 1000)):
            for _ in range(10):
                await self.change(chance)
            await self.store.close()
            self.store = await self.open()
            found = {(run.task_id, run.run_id): run for run in await self.store.runs()}
            self.assertEqual(found, self.expected, f"seed {seed}")

    async def change(self, chance: Random) -> None:
        key = chance.choice(("a", "b", "c")), chance.randrange(2)
        later, resolution = TAKEN_UNTIL + timedelta(seconds=chance.randrange(99)), chance.choice(OUTCOMES)
        credentials, sandbox = Credentials("c", str(later)), SandboxRecord("native", {"pid": later.second})
        changes: list[tuple[str, dict[str, Any]]] = [
            ("reclaimed", {"taken_until": later, "credentials": credentials}),
            ("sandboxed", {"sandbox": sandbox}),
            ("decided", {"resolution": resolution}),
            ("reported", {}),
        ]
        name, changed = chance.choice([*changes, ("claimed", {}), ("done", {})])
        if name == "claimed":
            self.expected[key] = record(*key)
            await self.store.claimed(record(*key))
            return
        await getattr(self.store, name)(*key, *changed.values())
        run = self.expected.pop(key, None)
        if run is not None and name != "done":
            self.expected[key] = replace(run, **(changed or {"reported": True}))


class TheFolder(StateTestCase):
    def mode(self, name: str = "") -> int:
        return stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode)

    def change_database(self, statement: str) -> list[Any]:
        database = sqlite3.connect(os.path.join(self.folder, "state.db"), isolation_level=None)
        rows = database.execute(statement).fetchall()
        database.close()
        return rows

    def newer_scripts(self, script: str) -> AbstractContextManager[object]:
        return mock.patch.object(state_folder, "SCRIPTS", (*state_folder.SCRIPTS, script))

    async def refusal(self, kind: type[Exception] = StateUnusable) -> str:
        return str(await self.assertFailure(StateStore.open(reactor, self.folder), kind))

    async def test_nobody_else_may_read_it(self) -> None:
        umask = os.umask(0)
        self.addCleanup(os.umask, umask)
        store = await self.open()
        await store.claimed(record())
        modes = {name: self.mode(name) for name in ("", *os.listdir(self.folder))}
        await store.close()
        self.assertEqual(
            modes, {"": 0o700, "lock": 0o600, "state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
        )

    async def test_an_empty_one_is_made_private(self) -> None:
        os.mkdir(self.folder, 0o755)
        await self.left()
        self.assertEqual(self.mode(), 0o700)

    async def test_one_with_files_of_others_is_refused(self) -> None:
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o755)
        os.mkdir(os.path.join(self.folder, "letters"))
        self.assertIn("name a folder of the worker's own as stateDir", await self.refusal())
        self.assertEqual(self.mode(), 0o755)

    async def test_one_worker_at_a_time(self) -> None:
        store = await self.open()
        self.assertIn(f"process id {os.getpid()}", await self.refusal(StateDirectoryTaken))
        await store.close()
        self.assertEqual(await self.left(), [])

    async def test_another_process_is_named(self) -> None:
        process = hold(self.folder)
        message = await self.refusal(StateDirectoryTaken)
        process.communicate()
        self.assertIn(f"process id {process.pid}", message)
        self.assertEqual(await self.left(), [])

    async def test_a_link_in_the_place_of_the_lock_is_refused(self) -> None:
        os.mkdir(self.folder, 0o700)
        os.symlink("/dev/null", os.path.join(self.folder, "lock"))
        await self.refusal(OSError)

    async def test_one_of_a_newer_tcworker_is_refused(self) -> None:
        await self.left()
        self.change_database(f"PRAGMA user_version = {len(state_folder.SCRIPTS) + 1}")
        self.assertIn("newer tcworker", await self.refusal())

    async def test_one_of_an_older_tcworker_is_brought_up_to_date(self) -> None:
        store = await self.open()
        await store.claimed(record())
        await store.close()
        with self.newer_scripts("CREATE TABLE later (x TEXT); INSERT INTO later SELECT task_id FROM runs;"):
            for _ in range(2):
                self.assertEqual(await self.left(), [record()])
        self.assertEqual(self.change_database("SELECT x FROM later"), [("task-1",)])

    async def test_one_that_cannot_be_brought_up_to_date_stays_as_it_was(self) -> None:
        await self.left()
        with self.newer_scripts("CREATE TABLE later (x TEXT); INSERT INTO nowhere VALUES (1);"):
            self.assertIn("no such table: nowhere", await self.refusal())
        self.assertEqual(await self.left(), [])
        self.assertEqual(self.change_database("SELECT name FROM sqlite_master WHERE name = 'later'"), [])

    async def test_a_broken_database_is_told(self) -> None:
        await self.left()
        overwrite(os.path.join(self.folder, "state.db"))
        self.assertIn("move it away", await self.refusal())
        os.unlink(os.path.join(self.folder, "state.db"))
        self.assertEqual(await self.left(), [])

    async def test_garbage_behind_a_fine_beginning_is_told(self) -> None:
        store = await self.open()
        for number in range(200):
            store.claimed(record(f"task-{number}"))
        await store.close()
        path = os.path.join(self.folder, "state.db")
        garble(path)
        store = await self.open()
        error = await self.assertFailure(store.runs(), StateUnusable)
        self.assertIn("move it away", str(error))
        await store.close()
        os.unlink(path)
        self.assertEqual(await self.left(), [])

    async def test_a_row_that_cannot_be_read_is_told_and_left_out(self) -> None:
        events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        breakages = ("credentials = '['", "credentials = '[]'", "sandbox = '{}'", "taken_until = 'soon'")
        for change in (*breakages, "credentials = CAST(x'22ff22' AS TEXT)", "taken_until = 7"):
            store = await self.open()
            await store.claimed(record("broken"))
            await store.claimed(record("fine"))
            await store.close()
            self.change_database(f"UPDATE runs SET {change} WHERE task_id = 'broken'")
            events.clear()
            self.assertEqual(await self.left(), [record("fine")], change)
            (text,) = [formatEvent(event) for event in events if event["log_level"] == LogLevel.error]
            self.assertIn("broken/0", text)

    async def test_a_database_that_is_held_or_without_room_is_not_to_be_moved_away(self) -> None:
        for code, advice in ((sqlite3.SQLITE_FULL, "make room"), (sqlite3.SQLITE_BUSY, "another program")):
            error = sqlite3.OperationalError("what SQLite says")
            error.sqlite_errorcode = code
            with mock.patch.object(state_folder, "_prepare", side_effect=error):
                message = await self.refusal()
            self.assertIn(advice, message)
            self.assertNotIn("move it away", message)
        self.assertEqual(await self.left(), [])


class OnADiskThatOthersFill(TestCase):
    """Tasks have the same disk, often."""

    CODE = """
        import os, sqlite3, sys
        from tcworker.state_folder import StateFolder
        folder = StateFolder.open(sys.argv[1] + "/state")
        with open(sys.argv[1] + "/fill", "wb", buffering=0) as fill:
            try:
                while True:
                    fill.write(bytes(4096))
            except OSError as error:
                print(error.strerror)
        for number in range(3000):
            values = (f"task-{number}", 0, "x" * 30, "y" * 300)
            columns = "task_id, run_id, taken_until, credentials"
            folder.database.execute(f"INSERT INTO runs ({columns}) VALUES (?, ?, ?, ?)", values)
            if number > 20:
                folder.database.execute("DELETE FROM runs WHERE task_id = ?", (f"task-{number - 20}",))
        folder.close()
        print("kept")
    """

    def test_what_happens_to_runs_is_remembered_when_nothing_is_free(self) -> None:
        only_root()
        folder = open_folder(self)
        mount = f"mount -t tmpfs -o size=16m small {folder}"
        script = f'{mount} && exec {sys.executable} -c "$1" {folder}'
        code = textwrap.dedent(self.CODE)
        unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", code]
        done = subprocess.run(unshare, capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout.splitlines(), ["No space left on device", "kept"], done.stderr)
