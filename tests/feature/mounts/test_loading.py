"""What is put in place before a task runs."""

from __future__ import annotations

import errno

from twisted.internet.defer import CancelledError, Deferred, succeed

from tcworker.errors import (
    Cause,
    ContentChanged,
    DownloadFailed,
    MalformedPayload,
    NamingConflict,
    ResourceUnavailable,
    TaskFailed,
)
from tcworker.interfaces import RoomMade
from tcworker.task.with_room import TRIES
from tests.feature.mounts.harness import CACHE, FILE, FILLED_CACHE, FOLDER, MountsCase


class Kinds(MountsCase):
    def test_all_three_in_their_order(self) -> None:
        self.load(CACHE, FOLDER, FILE)
        self.assertEqual(
            self.engine.attached,
            [
                ("cache", "checkouts", "build", "payload.mounts[0]"),
                ("tree", "/caches/clang", "clang", "payload.mounts[1]", False),
                ("file", "/caches/run-task/content", "run-task", "payload.mounts[2]"),
            ],
        )
        self.assertEqual(sorted(self.filler.fetched), [("clang", "tar.zst"), ("run-task", None)])

    def test_folders_that_nobody_may_change(self) -> None:
        run = self.mounts(FOLDER, strict=True)
        self.successResultOf(run.load(self.engine))
        self.assertEqual(self.engine.attached[0][-1], True)

    def test_a_compressed_file(self) -> None:
        self.load({**FILE, "format": "xz"})
        self.assertEqual(self.filler.fetched, [("run-task", "xz")])

    def test_what_is_the_same_but_for_its_format_is_not_the_same(self) -> None:
        self.load(FILE, {**FILE, "format": "xz"})
        self.assertEqual(len(self.filler.fetched), 2)

    def test_one_content_twice_is_fetched_once(self) -> None:
        self.load(FOLDER, {**FOLDER, "directory": "again"})
        self.assertEqual(len(self.filler.fetched), 1)
        self.assertEqual([where for _, _, where, *_ in self.engine.attached], ["clang", "again"])

    def test_lines_of_the_log_say_which_mount(self) -> None:
        self.load(CACHE, FOLDER)
        self.assertIn("[mounts] mounts[0]: cache checkouts is new", self.log)
        self.assertIn("[mounts] mounts[1]: downloading clang", self.log)

    def test_the_second_task_fetches_nothing_and_is_told(self) -> None:
        self.end(self.start(FOLDER, FILE))
        self.successResultOf(self.next_mounts(FOLDER, FILE).load(self.engine))
        self.assertEqual(len(self.filler.fetched), 2)
        self.assertIn("[mounts] mounts[0]: clang was here already", self.log)
        # It is asked all the same whether this task may have it.
        self.assertEqual(len(self.filler.resolved), 4)


class Changing(MountsCase):
    """Content that changes between the moment when it was found out and the one when it comes."""

    def test_what_it_is_now_is_taken_and_not_kept_for_others(self) -> None:
        for key in ("clang", "run-task"):
            self.filler.broken[key] = [ContentChanged("its server has another one meanwhile")]
        run = self.start(FOLDER, FILE)
        self.assertIn("[mounts] mounts[0]: clang: its server has another one meanwhile", self.log)
        self.assertEqual(len(self.engine.attached), 2)
        self.end(run)
        self.assertEqual(self.kept, [])

    def test_one_that_changes_all_the_time_fails_the_task(self) -> None:
        self.filler.broken["clang"] = [ContentChanged("it changed") for _ in range(9)]
        self.failed(self.mounts(FOLDER).load(self.engine), ContentChanged)

    def test_a_new_cache_is_filled_with_whatever_there_is(self) -> None:
        self.load(FILLED_CACHE)
        self.assertEqual([content.lasting for content in self.filler.given], [False])


class Scopes(MountsCase):
    def lacking(self, *scopes: str) -> str:
        self.context.task = {**self.context.task, "scopes": scopes}
        (message,) = self.failed(
            self.mounts(FOLDER, CACHE, {**CACHE, "cacheName": "npm"}).load(self.engine), MalformedPayload
        )
        return message

    def test_all_that_lack_are_told_at_once(self) -> None:
        message = self.lacking("generic-worker:cache:other")
        for part in ("payload.mounts: ", "generic-worker:cache:checkouts", "generic-worker:cache:npm"):
            self.assertIn(part, message)

    def test_those_that_are_there_are_not(self) -> None:
        self.assertNotIn("cache:npm", self.lacking("generic-worker:cache:npm"))

    def test_before_anything_is_fetched_or_taken(self) -> None:
        self.lacking()
        self.assertEqual((self.filler.resolved, self.rows()), ([], []))

    def test_they_are_checked_of_a_cache_that_is_there_too(self) -> None:
        self.end(self.start(CACHE))
        self.context = self.new_context("b/0")
        self.lacking()

    def test_files_and_folders_need_none(self) -> None:
        self.context.task = {**self.context.task, "scopes": []}
        self.load(FOLDER, FILE)


class Purges(MountsCase):
    def test_no_cache_is_taken_before_they_are_heeded(self) -> None:
        heeded: Deferred[None] = Deferred()
        self.patch(self.caches, "heed_purges", lambda: heeded)
        loading = self.mounts(CACHE, FOLDER).load(self.engine)
        self.assertEqual((self.rows(), self.filler.resolved), ([], []))
        heeded.callback(None)
        self.successResultOf(loading)
        self.assertEqual(self.in_use, ["checkouts", "tar.zst clang"])

    def test_they_are_heeded_once_for_all_caches(self) -> None:
        self.load(CACHE, {**CACHE, "directory": "b"})
        self.assertEqual(self.caches.purges_heeded, 1)

    def test_who_has_no_cache_does_not_ask(self) -> None:
        self.load(FOLDER, FILE)
        self.assertEqual(self.caches.purges_heeded, 0)


class Caches(MountsCase):
    def test_a_new_one_gets_its_content(self) -> None:
        self.load(FILLED_CACHE)
        self.assertEqual(self.filler.fetched, [("repository", "tar")])

    def test_one_that_is_there_is_taken_as_it_is(self) -> None:
        self.end(self.start(FILLED_CACHE))
        self.successResultOf(self.next_mounts(FILLED_CACHE).load(self.engine))
        self.assertEqual((self.filler.resolved, len(self.filler.fetched)), (["repository"], 1))
        self.assertIn("cache checkouts is as an earlier task left it", self.log)

    def test_one_name_twice_is_two(self) -> None:
        self.load(CACHE, {**CACHE, "directory": "b"})
        self.assertEqual(self.in_use, ["checkouts", "checkouts"])

    def test_one_whose_content_cannot_be_had_is_not_kept(self) -> None:
        self.filler.broken["repository"] = [DownloadFailed("404")]
        run = self.mounts(FILLED_CACHE)
        self.assertEqual(self.failed(run.load(self.engine), DownloadFailed), ("payload.mounts[0]: 404",))
        self.successResultOf(run.cleanup())
        self.assertEqual(self.rows(), [])

    def test_nor_one_whose_content_is_not_to_be_found(self) -> None:
        self.filler.missing["repository"] = DownloadFailed("404")
        run = self.mounts(FILLED_CACHE)
        self.failed(run.load(self.engine), DownloadFailed)
        self.successResultOf(run.cleanup())
        self.assertEqual(self.rows(), [])

    def test_nor_one_that_is_given_up_before_it_has_its_content(self) -> None:
        self.filler.hold.add("repository")
        run = self.mounts(FILLED_CACHE)
        loading = run.load(self.engine)
        loading.cancel()
        self.failureResultOf(loading, CancelledError)
        self.successResultOf(run.cleanup())
        self.assertEqual(self.rows(), [])


class Faults(MountsCase):
    def test_all_that_is_not_to_be_found_is_told_at_once(self) -> None:
        self.filler.missing = {"clang": DownloadFailed("no clang"), "run-task": DownloadFailed("nothing to run")}
        messages = self.failed(self.mounts(FOLDER, CACHE, FILE).load(self.engine), TaskFailed)
        self.assertEqual(messages, ("payload.mounts[0]: no clang", "payload.mounts[2]: nothing to run"))
        self.assertEqual(self.filler.fetched, [])

    def test_each_line_of_a_fault_says_where(self) -> None:
        self.filler.missing = {"clang": DownloadFailed("no clang", "look elsewhere")}
        messages = self.failed(self.mounts(FOLDER).load(self.engine), DownloadFailed)
        self.assertEqual(messages, ("payload.mounts[0]: no clang", "payload.mounts[0]: look elsewhere"))

    def test_cause_and_evidence_stay(self) -> None:
        lost = ResourceUnavailable("gone", cause=Cause.TASKCLUSTER_AWAY, evidence={"what": "x", "error": "y"})
        self.filler.missing = {"clang": lost}
        error = self.failureResultOf(self.mounts(FOLDER).load(self.engine), ResourceUnavailable).value
        self.assertEqual((error.cause, error.evidence), (lost.cause, lost.evidence))
        # Others have the same error, and look for themselves which mount it is.
        self.assertEqual(lost.messages, ("gone",))

    def test_when_one_has_failed_nobody_waits_for_the_others(self) -> None:
        self.filler.hold.add("clang")
        self.filler.broken["run-task"] = [DownloadFailed("not what it should be")]
        messages = self.failed(self.mounts(FOLDER, FILE).load(self.engine), DownloadFailed)
        self.assertEqual(messages, ("payload.mounts[1]: not what it should be",))
        self.assertEqual(self.filler.cancelled, ["clang"])

    def test_one_that_is_still_sought_keeps_the_others_from_nothing(self) -> None:
        self.filler.sought["run-task"] = Deferred()
        loading = self.mounts(FOLDER, FILE).load(self.engine)
        self.assertEqual(self.filler.fetched, [("clang", "tar.zst")])
        self.filler.sought["run-task"].callback(None)
        self.successResultOf(loading)

    def test_what_is_found_after_another_one_failed_is_not_fetched(self) -> None:
        self.filler.sought = {"clang": Deferred(), "repository": Deferred()}
        self.filler.missing = {"run-task": DownloadFailed("nothing to run"), "repository": DownloadFailed("nor this")}
        loading = self.mounts(FOLDER, FILE, FILLED_CACHE).load(self.engine)
        self.assertNoResult(loading)
        for sought in self.filler.sought.values():
            sought.callback(None)
        messages = self.failed(loading, TaskFailed)
        self.assertEqual(messages, ("payload.mounts[1]: nothing to run", "payload.mounts[2]: nor this"))
        self.assertEqual(self.filler.fetched, [])

    def test_who_waits_for_the_same_download_is_not_given_up_with_them(self) -> None:
        self.filler.hold.add("clang")
        self.filler.broken["run-task"] = [DownloadFailed("not what it should be")]
        mine = self.mounts(FOLDER)
        loading = mine.load(self.engine)
        self.failed(self.next_mounts(FOLDER, FILE).load(self.engine), DownloadFailed)
        self.filler.waiting["clang"].callback(None)
        self.successResultOf(loading)

    def test_what_cannot_be_attached_is_told_for_all(self) -> None:
        self.engine.refused = {"clang": NamingConflict("no"), "build": NamingConflict("nor this")}
        messages = self.failed(self.mounts(FOLDER, CACHE, FILE).load(self.engine), MalformedPayload)
        self.assertEqual(messages, ("payload.mounts[0]: no", "payload.mounts[1]: nor this"))

    def test_what_nobody_foresaw_says_which_mount(self) -> None:
        self.filler.missing = {"clang": KeyError("x")}  # type: ignore[dict-item]  # no error of a task
        (message,) = self.failureResultOf(self.mounts(FOLDER).load(self.engine)).value.messages
        self.assertTrue(message.startswith("payload.mounts[0]: internal error of the worker, incident "), message)
        self.flushLoggedErrors(KeyError)

    def test_given_up_it_waits_for_nothing(self) -> None:
        self.filler.hold |= {"clang", "run-task"}
        loading = self.mounts(FOLDER, FILE).load(self.engine)
        loading.cancel()
        self.failureResultOf(loading, CancelledError)
        self.assertEqual(sorted(self.filler.cancelled), ["clang", "run-task"])
        self.assertEqual(self.engine.attached, [])


class FullDisks(MountsCase):
    """What did not fit is tried once more where something could be thrown away."""

    def setUp(self) -> None:
        super().setUp()
        full = ResourceUnavailable("no room", cause=Cause.NO_DISK)
        self.filler.broken = {key: [full] for key in ("clang", "run-task", "repository")}

    def test_there_is_room_then(self) -> None:
        self.caches.room = RoomMade.SOME
        self.load(FOLDER, FILE, FILLED_CACHE)
        self.assertEqual(len(self.filler.fetched), 3)

    def test_there_is_none(self) -> None:
        run = self.mounts(FILLED_CACHE)
        self.assertEqual(self.failed(run.load(self.engine), ResourceUnavailable), ("payload.mounts[0]: no room",))
        self.successResultOf(run.cleanup())
        self.assertEqual(self.rows(), [])

    def test_what_came_of_a_cache_has_gone_when_room_is_made(self) -> None:
        """Its own bytes may be what lacks."""
        there: list[int] = []

        def make_room(full: str | None) -> Deferred[RoomMade]:
            there.append(len(self.worker.home.folders))
            return succeed(RoomMade.SOME)

        self.patch(self.caches, "make_room", make_room)
        self.load(FILLED_CACHE)
        self.assertEqual((there, len(self.worker.home.folders)), ([0], 1))

    def test_a_folder_that_the_worker_s_state_has_no_room_for_is_asked_for_again(self) -> None:
        self.worker.home.problem = OSError(errno.ENOSPC, "No space left on device", "/caches/x")
        run = self.mounts(CACHE)
        messages = self.failed(run.load(self.engine), ResourceUnavailable)
        self.assertEqual(messages, ("payload.mounts[0]: mounting build: /caches/x: No space left on device",))
        self.caches.room = RoomMade.SOME
        self.patch(self.caches, "make_room", self.give_room)
        self.load(CACHE)
        self.assertEqual(len(self.engine.attached), 1)

    def give_room(self, full: str | None) -> Deferred[RoomMade]:
        self.worker.home.problem = None
        return succeed(RoomMade.SOME)

    def test_who_makes_it_may_take_his_time(self) -> None:
        self.caches.room = RoomMade.NOT_YET
        self.load(FOLDER)
        self.assertEqual(len(self.filler.fetched), 1)

    def test_it_is_not_tried_for_ever(self) -> None:
        self.caches.room = RoomMade.SOME
        self.filler.broken["clang"] *= TRIES
        self.failed(self.mounts(FOLDER).load(self.engine), ResourceUnavailable)

    def test_other_wants_are_not_for_the_caches_to_meet(self) -> None:
        self.caches.room = RoomMade.SOME
        self.filler.broken["clang"] = [ResourceUnavailable("no queue", cause=Cause.TASKCLUSTER_AWAY)]
        self.failed(self.mounts(FOLDER).load(self.engine), ResourceUnavailable)
