"""The folder full of caches that a worker has to itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache import folders
from tcworker.cache.folders import Folders
from tcworker.cache.homes import Home
from tcworker.errors import ConfigError
from tcworker.removal import Unwanted, remove
from tcworker.testing.caches import PLATFORM, MemoryHome
from tcworker.testing.facilities import NoThreads
from tests.cache.homes import HomeContract
from tests.surroundings import only_root


class Waiting(NoThreads):
    """A thread that does a job when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Deferred[Any], Any, Any]] = []

    def run(self, work: Any, *args: Any) -> Deferred[Any]:
        self.jobs.append((Deferred(), work, args))
        return self.jobs[-1][0]

    def work(self) -> None:
        done, work, args = self.jobs.pop(0)
        execute(work, *args).chainDeferred(done)


class FoldersCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(os.path.abspath(self.mktemp()))
        self.folders = self.open()

    def open(self, path: Path | None = None) -> Folders:
        folders = Folders(str(path or self.path), NoThreads(), "cachesDir")
        self.successResultOf(folders.open())
        self.addCleanup(folders.close)
        return folders

    def close_and_open(self) -> Folders:
        self.successResultOf(self.folders.close())
        self.folders = self.open()
        return self.folders

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(_wait(deferred)))

    def refused(self, path: Path) -> str:
        return str(self.failureResultOf(Folders(str(path), NoThreads(), "cachesDir").open(), ConfigError).value)

    def names(self) -> set[str]:
        return {name for name in os.listdir(self.path) if name != "lock"}


async def _wait(deferred: Any) -> Any:
    return await deferred


class OnDisk(HomeContract, FoldersCase):
    def setUp(self) -> None:
        super().setUp()
        self.home = Home.of_downloads(self.folders)

    def again(self) -> Home:
        return Home.of_downloads(self.close_and_open())

    def there(self) -> int:
        return len(self.names())


class InMemory(HomeContract, FoldersCase):
    def setUp(self) -> None:
        super().setUp()
        self.memory = MemoryHome()
        self.home = self.memory.as_home(PLATFORM)

    def again(self) -> Home:
        self.memory = MemoryHome(self.memory)
        return self.memory.as_home(PLATFORM)

    def there(self) -> int:
        return len(self.memory.folders)


class ThePlace(FoldersCase):
    def test_only_the_worker_may_enter_it(self) -> None:
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o700)

    def test_one_worker_has_it(self) -> None:
        said = self.refused(self.path)
        self.assertIn(f"cachesDir: found {self.path}, expected a folder for this alone, but this process has it", said)
        (self.path / "lock").write_text("17\n")
        self.assertIn("a folder that no other worker uses, but process 17 does", self.refused(self.path))

    def test_the_next_one_may_have_it_then(self) -> None:
        self.close_and_open()

    def test_closed_while_a_thread_still_opens_it(self) -> None:
        """As somebody does whose boot is stopped: no thread is called back."""
        for first in (0, 1):
            waiting = Waiting()
            folders = Folders(str(self.path.with_name(f"short-{first}")), waiting, "cachesDir")
            opening, closing = folders.open(), folders.close()
            waiting.jobs = [waiting.jobs[first], waiting.jobs[1 - first]]
            waiting.work()
            waiting.work()
            self.successResultOf(opening)
            self.successResultOf(closing)
            self.open(Path(folders.path))

    def test_one_that_somebody_else_can_change(self) -> None:
        only_root()
        other = self.path.parent / "others"
        other.mkdir(0o700)
        os.chown(other, 61000, 61000)
        self.assertIn("expected a folder of the worker's own user, but user 61000", self.refused(other))

    def test_a_folder_of_others_is_not_closed_to_them(self) -> None:
        other = self.path.parent / "other"
        other.mkdir(0o755)
        (other / "file").touch()
        self.assertIn("files of others are in it", self.refused(other))
        self.assertEqual(stat.S_IMODE(other.stat().st_mode), 0o755)

    def test_an_empty_one_is(self) -> None:
        empty = self.path.parent / "empty"
        empty.mkdir(0o755)
        self.open(empty)
        self.assertEqual(stat.S_IMODE(empty.stat().st_mode), 0o700)

    def test_a_place_where_none_can_be_made(self) -> None:
        (self.path / "file").touch()
        self.assertIn("that can be made and written to (Not a directory)", self.refused(self.path / "file" / "caches"))

    def test_what_others_put_there_stays(self) -> None:
        (self.path / "cache-of-mine").mkdir()
        (self.path / "notes").touch()
        self.done(self.folders.sweep())
        self.assertEqual(self.names(), {"cache-of-mine", "notes"})


class RemovedUnderTheWorker(FoldersCase):
    def setUp(self) -> None:
        super().setUp()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)
        self.old = self.done(self.folders.new("checkouts"))
        rmtree(self.path)

    def hear(self, event: LogEvent) -> None:
        self.lines.append(formatEvent(event))

    def assert_its_own_again(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        self.assertEqual(self.names(), {os.path.basename(folder.path)})
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o700)
        self.assertIn("this process has it", self.refused(self.path))
        [line] = self.lines
        self.assertIn(f"{self.path} is not the folder any more that this worker took at its start", line)

    def test_it_is_made_anew_and_that_is_said_once(self) -> None:
        self.assert_its_own_again()
        self.done(self.folders.new("checkouts"))
        self.assertEqual(len(self.lines), 1)
        self.assertFalse(self.done(self.old.is_there()))

    def test_a_sweep_takes_it_anew_as_well(self) -> None:
        self.done(self.folders.sweep())
        self.assert_its_own_again()

    def test_one_that_somebody_made_in_its_place_is_closed_to_others(self) -> None:
        self.path.mkdir(0o755)
        self.assert_its_own_again()

    def test_one_that_another_worker_has_is_left_to_it(self) -> None:
        self.path.mkdir(0o700)
        other = self.open()
        self.failureResultOf(self.folders.new("checkouts"), ConfigError)
        self.assertEqual(self.names(), set())
        self.successResultOf(other.close())
        self.done(self.folders.new("checkouts"))
        self.assertEqual(len(self.names()), 1)

    def test_nothing_is_taken_again_when_the_worker_has_ended(self) -> None:
        self.successResultOf(self.folders.close())
        self.failureResultOf(self.folders.new("checkouts"), FileNotFoundError)
        self.assertFalse(self.path.exists())


class AFolder(FoldersCase):
    def test_it_is_empty_and_the_worker_s_own(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        self.assertEqual(os.listdir(folder.path), [])
        self.assertEqual(stat.S_IMODE(os.stat(folder.path).st_mode), 0o700)
        self.assertIsNone(folder.owner)

    def test_it_is_measured_by_blocks(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        Path(folder.path, "file").write_bytes(bytes(100_000))
        with open(os.path.join(folder.path, "sparse"), "wb") as sparse:
            sparse.truncate(1 << 40)
        self.assertEqual(self.done(folder.measure()) // 100_000, 1)
        self.assertEqual(folder.size // 100_000, 1)

    def test_one_that_a_task_has_taken_away_can_be_measured_and_deleted(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        os.rmdir(folder.path)
        self.assertEqual(self.done(folder.measure()), 0)
        self.done(folder.delete())

    def test_whether_it_is_there_can_be_asked(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        self.assertTrue(self.done(folder.is_there()))
        os.rmdir(folder.path)
        self.assertFalse(self.done(folder.is_there()))

    def test_one_of_another_place_is_not_found(self) -> None:
        elsewhere = self.path.parent / "cache-0123456789abcdef"
        elsewhere.mkdir()
        for path in (str(elsewhere), str(self.path / ".." / elsewhere.name), None, ["x"]):
            self.assertIsNone(self.done(self.folders.find("checkouts", {"path": path})))

    def test_it_is_out_of_sight_before_it_is_removed(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        details = dict(folder.details)
        threads = Waiting()
        self.folders._threads = threads
        deleting = folder.delete()
        threads.work()
        self.assertFalse(os.path.exists(folder.path))
        self.assertNoResult(deleting)
        sweeping = self.folders.sweep()
        threads.work()
        self.assertEqual(self.names(), set())
        threads.work()
        self.successResultOf(deleting)
        self.successResultOf(sweeping)
        self.folders._threads = NoThreads()
        self.assertIsNone(self.done(self.close_and_open().find("checkouts", details)))

    def test_what_is_set_aside_is_not_swept(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        threads = Waiting()
        self.folders._threads = threads
        deleting = folder.delete()
        threads.work()
        sweeping = self.folders.sweep()
        threads.jobs.reverse()
        threads.work()
        self.successResultOf(sweeping)
        threads.work()
        self.successResultOf(deleting)

    def test_one_is_measured_at_a_time(self) -> None:
        """So that a thread is left for what a task waits for."""
        one, two = [self.done(self.folders.new(name)) for name in ("one", "two")]
        threads = Waiting()
        self.folders._threads = threads
        measuring = [one.measure(), two.measure()]
        self.assertEqual(len(threads.jobs), 1)
        threads.work()
        threads.work()
        for each in measuring:
            self.successResultOf(each)

    def test_what_cannot_go_is_tried_again_by_the_next_sweep(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        problem = OSError(16, "Device or resource busy", "here")
        self.patch_removal(problem)
        error = self.failureResultOf(folder.delete(), OSError).value
        [left] = self.names()
        self.assertEqual((error.errno, error.filename), (16, str(self.path / left)))
        with_lines: list[LogEvent] = []
        globalLogPublisher.addObserver(with_lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, with_lines.append)
        self.done(self.folders.sweep())
        self.assertTrue(any("cannot be removed" in formatEvent(event) for event in with_lines))
        self.patch_removal(None)
        self.done(self.folders.sweep())
        self.assertEqual(self.names(), set())

    def patch_removal(self, problem: OSError | None) -> None:
        def busy(path: str, wanted: object) -> None:
            assert problem is not None
            raise problem

        self.patch(folders, "remove", remove if problem is None else busy)

    def test_a_removal_ends_with_the_worker(self) -> None:
        folder = self.done(self.folders.new("checkouts"))
        (Path(folder.path) / "file").touch()
        threads = Waiting()
        self.folders._threads = threads
        deleting, closing = folder.delete(), self.folders.close()
        deleting.addErrback(lambda failure: failure.trap(Unwanted))
        for _ in range(3):
            threads.work()
        self.successResultOf(closing)
        self.successResultOf(deleting)
        self.assertEqual(len(self.names()), 1)

    def test_what_a_dead_worker_was_removing_is_swept(self) -> None:
        (self.path / "gone-0123456789abcdef" / "half").mkdir(parents=True)
        self.done(self.folders.sweep())
        self.assertEqual(self.names(), set())

    def test_one_that_is_found_while_others_are_swept_stays(self) -> None:
        for name in ("one", "two"):
            self.done(self.folders.new(name))
        folders, threads = self.close_and_open(), Waiting()
        folders._threads = threads
        sweeping = folders.sweep()
        threads.work()
        (being_removed,) = threads.jobs[0][2]
        (other,) = self.names() - {os.path.basename(being_removed)}
        self.done(folders.find("two", {"path": str(self.path / other)}))
        threads.work()
        self.successResultOf(sweeping)
        self.assertEqual((threads.jobs, self.names()), ([], {other}))
        folders._threads = NoThreads()

    def test_one_that_is_being_made_is_not_swept(self) -> None:
        threads = Waiting()
        self.folders._threads = threads
        making, sweeping = self.folders.new("checkouts"), self.folders.sweep()
        threads.work()
        threads.work()
        self.successResultOf(making)
        self.successResultOf(sweeping)
        self.assertEqual(len(self.names()), 1)
        self.folders._threads = NoThreads()
