"""What becomes of caches when their task has ended, and of what tasks share."""

from __future__ import annotations

from typing import Any

from tcworker.errors import Cause, ResourceUnavailable, TaskFailed
from tests.feature.mounts.harness import CACHE, FILE, FOLDER, MountsCase, Result, exited

INNER = {"cacheName": "inner", "directory": "build/inner"}
OTHER = {"cacheName": "other", "directory": "other"}


class Kept(MountsCase):
    def test_by_a_task_that_succeeds(self) -> None:
        result = self.end(self.start(CACHE))
        self.assertEqual((result.detached, self.kept), (["checkouts"], ["checkouts"]))

    def test_by_a_task_that_fails(self) -> None:
        self.end(self.start(CACHE), Result(success=False, commands=exited(1)))
        self.assertEqual(self.kept, ["checkouts"])

    def test_by_a_task_that_succeeds_though_memory_was_out(self) -> None:
        """It knew how to go on without the process that the kernel ended."""
        self.end(self.start(CACHE), Result(out_of_memory=True))
        self.assertEqual(self.kept, ["checkouts"])

    def test_as_soon_as_the_sandbox_is_over(self) -> None:
        run = self.start(CACHE, artifacts=[{"type": "file", "path": "other/x"}])
        self.successResultOf(run.stopped(Result()))
        self.assertEqual(self.kept, ["checkouts"])

    def test_after_the_uploads_when_an_artifact_lies_in_it(self) -> None:
        for artifact in ("build/x", "./build/../build", "build"):
            run = self.next_mounts(CACHE, OTHER, artifacts=[{"type": "file", "path": artifact}])
            self.successResultOf(run.load(self.engine))
            result = Result()
            self.successResultOf(run.stopped(result))
            self.assertEqual(self.kept, ["other"])
            self.successResultOf(run.upload(result))
            self.assertEqual(self.kept, ["checkouts", "other"])
            self.successResultOf(run.cleanup())

    def test_or_when_it_lies_in_a_folder_that_is_published(self) -> None:
        run = self.start(INNER, OTHER, artifacts=[{"type": "directory", "path": "build"}])
        self.successResultOf(run.stopped(Result()))
        self.assertEqual(self.kept, ["other"])

    def test_all_the_same_when_nothing_could_be_uploaded(self) -> None:
        run = self.start(CACHE, artifacts=[{"type": "file", "path": "build/x"}])
        result = self.end(run, upload=False)
        self.assertEqual((result.detached, self.kept), (["checkouts"], ["checkouts"]))

    def test_the_inner_one_first(self) -> None:
        result = self.end(self.start(CACHE, INNER))
        self.assertEqual(result.detached, ["inner", "checkouts"])

    def test_when_the_sandbox_never_ran(self) -> None:
        run = self.load(CACHE, FOLDER, FILE)
        self.successResultOf(run.cleanup())
        self.assertEqual(self.kept, ["checkouts", "file run-task", "tar.zst clang"])


class TooLarge(MountsCase):
    """For the disk of tasks, on which the sandbox could not start for that."""

    def test_is_not_given_to_the_next_task(self) -> None:
        run = self.load(CACHE, OTHER)
        self.engine.too_large["checkouts"]()
        self.assertIn(
            "[mounts] mounts[0]: cache checkouts is thrown away, and the next task begins with a new", self.log
        )
        self.successResultOf(run.cleanup())
        self.assertEqual(self.kept, ["other"])


class Dropped(MountsCase):
    def assert_dropped(self, why: str, payload: Any = None, **result: Any) -> None:
        run = self.start(CACHE, OTHER, **(payload or {}))
        ended = self.end(run, Result(success=False, **result))
        self.assertEqual((ended.detached, self.rows()), ([], []))
        self.assertIn(f"[mounts] Purging caches since {why}", self.log)
        self.assertIn(": checkouts, other\n", self.log)

    def test_of_a_task_that_the_worker_ended(self) -> None:
        self.assert_dropped("the worker ended the task: it took too long", killed="it took too long")

    def test_of_one_that_had_too_little_memory(self) -> None:
        self.assert_dropped("the kernel ended a process", out_of_memory=True, commands=exited(137))

    def test_for_the_status_of_the_last_command(self) -> None:
        payload = {"onExitStatus": {"purgeCaches": [72]}}
        self.assert_dropped("the last command exited with status 72", payload, commands=exited(72))

    def test_but_not_for_another_status(self) -> None:
        self.end(self.start(CACHE, onExitStatus={"purgeCaches": [72]}), Result(commands=exited(1)))
        self.assertEqual(self.kept, ["checkouts"])

    def test_also_for_zero(self) -> None:
        payload = {"onExitStatus": {"purgeCaches": [0]}}
        self.assert_dropped("the last command exited with status 0", payload, commands=exited(0))

    def test_of_an_execution_without_a_result(self) -> None:
        run = self.start(CACHE, FOLDER)
        self.successResultOf(run.cleanup())
        self.assertEqual([row.name for row in self.rows()], ["tar.zst clang"])
        self.assertIn("Purging caches since the task was cut off: checkouts", self.log)

    def test_those_without_caches_say_nothing_of_it(self) -> None:
        self.end(self.start(FOLDER), Result(killed="x"))
        self.assertNotIn("Purging", self.log)


class Lost(MountsCase):
    def test_one_that_the_task_removed_fails_it(self) -> None:
        result = Result()
        result.lost["checkouts"] = TaskFailed("the task removed it")
        run = self.start(CACHE, OTHER)
        error = self.failureResultOf(run.stopped(result), TaskFailed).value
        self.assertEqual(error.messages, ("payload.mounts[0]: the task removed it",))
        self.assertEqual(error.cause, Cause.TASK_FAULT)
        self.assertEqual(self.kept, ["other"])
        self.successResultOf(run.cleanup())
        self.assertEqual(self.kept, ["other"])

    def test_one_that_cannot_be_moved_is_no_fault_of_the_task(self) -> None:
        result = Result()
        result.lost["checkouts"] = ResourceUnavailable("it cannot be moved")
        error = self.failureResultOf(self.start(CACHE).stopped(result), ResourceUnavailable).value
        self.assertEqual((error.cause, error.evidence), (Cause.CACHE, {"cache": "checkouts"}))

    def test_a_full_disk_is_still_one(self) -> None:
        result = Result()
        result.lost["checkouts"] = ResourceUnavailable.no_disk("no room", "/x", OSError(28, "No space left"))
        error = self.failureResultOf(self.start(CACHE).stopped(result), ResourceUnavailable).value
        self.assertEqual((error.cause, error.evidence["path"]), (Cause.NO_DISK, "/x"))

    def test_it_takes_the_one_around_it_along(self) -> None:
        result = Result()
        result.lost["inner"] = ResourceUnavailable("the disk is full")
        run = self.start(CACHE, INNER, OTHER)
        self.failed(run.stopped(result), ResourceUnavailable)
        self.assertEqual((result.detached, self.kept), (["other"], ["other"]))

    def test_all_that_are_lost_are_told(self) -> None:
        result = Result()
        result.lost = {name: TaskFailed(f"{name} is gone") for name in ("checkouts", "other")}
        messages = self.failed(self.start(CACHE, OTHER).stopped(result), TaskFailed)
        self.assertEqual(messages, ("payload.mounts[1]: other is gone", "payload.mounts[0]: checkouts is gone"))

    def test_one_lost_at_the_very_end_keeps_nothing_else_in_use(self) -> None:
        run = self.start(FOLDER, CACHE, artifacts=[{"type": "file", "path": "build/x"}])
        result = Result()
        result.lost["checkouts"] = TaskFailed("the task removed it")
        self.successResultOf(run.stopped(result))
        self.failed(run.cleanup(), TaskFailed)
        self.assertEqual((self.kept, self.in_use), (["tar.zst clang"], []))


class Shared(MountsCase):
    def test_it_is_in_use_until_the_run_is_over(self) -> None:
        run = self.start(FOLDER)
        result = Result()
        self.successResultOf(run.stopped(result))
        self.successResultOf(run.upload(result))
        self.assertEqual(self.in_use, ["tar.zst clang"])
        self.successResultOf(run.cleanup())
        self.assertEqual(self.kept, ["tar.zst clang"])

    def test_a_killed_task_could_do_nothing_to_it(self) -> None:
        self.end(self.start(FOLDER), Result(killed="x"))
        self.assertEqual(self.kept, ["tar.zst clang"])

    def test_what_cannot_be_known_again_is_not_kept(self) -> None:
        self.filler.unlasting = True
        self.end(self.start(FOLDER, FILE))
        self.assertEqual(self.rows(), [])
