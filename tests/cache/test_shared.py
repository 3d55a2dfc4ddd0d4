"""What many tasks read: made once for all who ask, kept, and thrown away when nobody reads it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import LogLevel

from tcworker.errors import TaskFailed
from tcworker.interfaces import ICacheFolder, IHeldCache, Say
from tcworker.testing.caches import FakeCacheFolder
from tests.cache.surroundings import NOW, CacheCase, fake, silence


class Maker:
    """Makes something when the test says so.

    @ivar folders: those that it was given to fill.
    @ivar cancelled: whether nobody wanted it any more.
    """

    def __init__(self) -> None:
        self.folders: list[ICacheFolder] = []
        self.cancelled = False
        self.say: Say = silence
        self.made: Deferred[Any] = Deferred(self._cancel)

    def __call__(self, folder: ICacheFolder, say: Say) -> Deferred[Any]:
        self.folders.append(folder)
        self.say = say
        return self.made

    def _cancel(self, made: Deferred[Any]) -> None:
        self.cancelled = True


class Sharing(CacheCase):
    def test_it_is_made_of_nothing(self) -> None:
        held = self.successResultOf(self.share(make=lambda folder, say: succeed({"sha256": "abc"})))
        self.assertTrue(held.fresh)
        self.assertEqual(held.facts, {"sha256": "abc"})

    def test_the_next_run_makes_nothing(self) -> None:
        first = self.shared(run="a/0")
        again = self.successResultOf(self.share(run="b/0", make=Maker()))
        self.assertIs(again.folder, first.folder)
        self.assertFalse(again.fresh)

    def test_a_restart_keeps_it_and_what_its_maker_said_though_somebody_read_it(self) -> None:
        first = self.successResultOf(self.share(make=lambda folder, say: succeed({"etag": "x"})))
        self.restart()
        again = self.successResultOf(self.share(make=Maker()))
        self.assertIs(again.folder, first.folder)
        self.assertEqual(again.facts, {"etag": "x"})

    def test_downloads_are_apart_from_what_a_platform_has(self) -> None:
        tree = self.shared()
        file = self.successResultOf(self.run_of("a/0").downloaded("key", lambda folder, say: succeed(None), silence))
        self.assertIsNot(tree.folder, file.folder)
        self.assertEqual((len(self.worker.home.folders), len(self.worker.downloads.folders)), (1, 1))
        self.assertEqual([row.words for row in self.rows()], ["shared cache key", "download key"])

    def test_what_it_took_to_make_is_known(self) -> None:
        maker = Maker()
        sharing = self.share(make=maker)
        self.clock.advance(12)
        maker.made.callback(None)
        self.successResultOf(sharing)
        row = self.rows()[0]
        self.assertEqual((row.seconds, row.created, row.used), (12, NOW, NOW + 12))

    def test_it_is_measured(self) -> None:
        def make(folder: ICacheFolder, say: Say) -> Deferred[None]:
            assert isinstance(folder, FakeCacheFolder)
            folder.measured = 8192
            return succeed(None)

        self.successResultOf(self.share(make=make))
        self.assertEqual(self.store.total, 8192)

    def test_one_whose_folder_somebody_removed_is_made_anew_once(self) -> None:
        self.give_back(self.shared())
        self.worker.home.folders.clear()
        maker = Maker()
        one, two = self.share(run="a/0", make=maker), self.share(run="b/0", make=Maker())
        maker.made.callback(None)
        held = self.successResultOf(one), self.successResultOf(two)
        self.assertTrue(held[0].fresh)
        self.assertIs(held[0].folder, held[1].folder)
        self.assertEqual(len(self.rows()), 1)

    def test_two_that_find_it_removed_at_one_time(self) -> None:
        self.give_back(self.shared())
        self.worker.home.folders.clear()
        self.worker.home.hold = True
        one, two = self.share(run="a/0"), self.share(run="b/0")
        self.worker.home.release()
        self.assertIs(self.successResultOf(one).folder, self.successResultOf(two).folder)
        self.assertEqual([row.readers for row in self.rows()], [2])

    def test_who_goes_away_while_it_is_looked_for_has_none(self) -> None:
        self.give_back(self.shared())
        self.worker.home.hold = True
        sharing = self.share(run="b/0")
        sharing.cancel()
        self.failureResultOf(sharing, CancelledError)
        self.assertEqual([row.readers for row in self.rows()], [0])


class WaitingTogether(CacheCase):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second = Maker(), Maker()
        self.said: list[str] = []

    def ask(self, maker: Maker, run: str) -> Deferred[IHeldCache]:
        return self.run_of(run).shared("key", maker, lambda line: self.said.append(f"{run} {line}"))

    def test_it_is_made_once(self) -> None:
        one, two = self.ask(self.first, "a/0"), self.ask(self.second, "b/0")
        self.first.made.callback(None)
        held = self.successResultOf(one), self.successResultOf(two)
        self.assertIs(held[0].folder, held[1].folder)
        self.assertEqual((self.second.folders, len(self.rows()), self.rows()[0].readers), ([], 1, 2))
        self.assertTrue(held[1].fresh)

    def test_all_hear_how_it_goes(self) -> None:
        self.ask(self.first, "a/0")
        self.first.say("half")
        self.ask(self.second, "b/0")
        self.first.say("nearly")
        self.assertEqual(self.said, ["a/0 half", "a/0 nearly", "b/0 nearly"])

    def test_it_goes_on_for_those_who_are_left(self) -> None:
        one, two = self.ask(self.first, "a/0"), self.ask(self.second, "b/0")
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.first.say("half")
        self.assertFalse(self.first.cancelled)
        self.first.made.callback(None)
        self.successResultOf(two)
        self.assertEqual((self.said, self.rows()[0].readers), (["b/0 half"], 1))

    def test_it_ends_when_all_have_gone(self) -> None:
        one, two = self.ask(self.first, "a/0"), self.ask(self.second, "b/0")
        one.cancel()
        two.cancel()
        self.assertTrue(self.first.cancelled)
        self.failureResultOf(one, CancelledError)
        self.failureResultOf(two, CancelledError)
        self.assertEqual((self.worker.home.folders, self.rows()), ({}, []))

    def test_who_comes_after_that_begins_anew(self) -> None:
        slow: Deferred[Any] = Deferred(lambda _: slow_end.append(1))
        slow_end: list[int] = []
        one = self.share(make=lambda folder, say: slow)
        one.cancel()
        self.failureResultOf(one, CancelledError)
        two = self.ask(self.second, "b/0")
        self.second.made.callback(None)
        self.assertTrue(self.successResultOf(two).fresh)
        self.assertEqual(slow_end, [1])

    def test_who_comes_while_the_last_making_is_still_ending_begins_anew(self) -> None:
        ending: Deferred[None] = Deferred()

        async def stubborn() -> None:
            try:
                await Deferred()
            finally:
                await ending

        one = self.share(make=lambda folder, say: Deferred.fromCoroutine(stubborn()))
        one.cancel()
        self.failureResultOf(one, CancelledError)
        two, three = self.ask(self.first, "b/0"), self.ask(self.second, "c/0")
        ending.callback(None)
        self.first.made.callback(None)
        self.successResultOf(two)
        self.successResultOf(three)
        self.assertEqual((self.second.folders, len(self.worker.home.folders)), ([], 1))

    def test_all_are_told_why_it_failed(self) -> None:
        one, two = self.ask(self.first, "a/0"), self.ask(self.second, "b/0")
        self.first.made.errback(TaskFailed("404"))
        self.failureResultOf(one, TaskFailed)
        self.failureResultOf(two, TaskFailed)
        self.assertEqual((self.worker.home.folders, self.rows()), ({}, []))

    def test_a_failure_is_not_kept(self) -> None:
        one = self.ask(self.first, "a/0")
        self.first.made.errback(TaskFailed("404"))
        self.failureResultOf(one, TaskFailed)
        two = self.ask(self.second, "b/0")
        self.second.made.callback(None)
        self.assertTrue(self.successResultOf(two).fresh)

    def test_what_fails_for_one_who_has_gone_is_tried_for_another(self) -> None:
        one, two = self.ask(self.first, "a/0"), self.ask(self.second, "b/0")
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.first.made.errback(TaskFailed("403: its claim is over"))
        self.assertNoResult(two)
        self.second.made.callback(None)
        self.assertIs(self.successResultOf(two).folder, self.second.folders[0])
        self.assertEqual(list(self.worker.home.folders.values()), self.second.folders)

    def test_who_is_told_may_send_another_away(self) -> None:
        one, two = self.ask(self.first, "a/0"), self.ask(self.second, "b/0")
        one.addCallback(lambda held: two.cancel())
        self.first.made.callback(None)
        self.failureResultOf(two, CancelledError)
        self.assertEqual(self.rows()[0].readers, 1)

    def test_a_making_under_way_ends_with_the_worker(self) -> None:
        one = self.ask(self.first, "a/0")
        self.successResultOf(self.store.close())
        self.failureResultOf(one, CancelledError)
        self.assertTrue(self.first.cancelled)

    def test_a_maker_who_says_what_is_no_json_has_made_nothing(self) -> None:
        one = self.ask(self.first, "a/0")
        self.first.made.callback({"file": object()})
        self.failureResultOf(one, TypeError)
        self.assertEqual((self.worker.home.folders, self.rows()), ({}, []))

    def test_nobody_throws_it_away_before_it_is_given(self) -> None:
        one = self.ask(self.first, "a/0")
        self.worker.table.hold = True
        self.first.made.callback(None)
        self.assertEqual(self.successResultOf(self.store.idle()), [])
        self.worker.table.release()
        self.successResultOf(one)

    def test_what_cannot_be_remembered_is_not_given(self) -> None:
        one = self.ask(self.first, "a/0")
        self.worker.table.problem = OSError("disk full")
        self.first.made.callback(None)
        self.failureResultOf(one, OSError)
        self.assert_logged("did not take that caches are gone")
        self.assertEqual((self.worker.home.folders, self.rows()), ({}, []))

    def test_and_its_folder_is_removed_once(self) -> None:
        self.ask(self.first, "a/0").addErrback(lambda failure: failure.trap(OSError))
        deletions: list[None] = []
        delete = self.first.folders[0].delete
        self.patch(self.first.folders[0], "delete", lambda: deletions.append(None) or delete())
        self.worker.table.problem = OSError("disk full")
        self.first.made.callback(None)
        self.assert_logged("did not take that caches are gone")
        self.assertEqual(len(deletions), 1)


class LettingGo(CacheCase):
    def test_it_costs_nothing_to_get_and_one_write_to_give_back(self) -> None:
        self.give_back(self.shared())
        before = self.worker.table.writes
        held = self.shared()
        self.assertEqual(self.worker.table.writes, before)
        self.give_back(held)
        self.assertEqual(self.worker.table.writes, before + 1)

    def test_when_it_was_used_is_remembered(self) -> None:
        held = self.shared()
        self.clock.advance(100)
        self.give_back(held)
        self.assertEqual(next(iter(self.worker.table.kept.values())).used, NOW + 101)

    def test_it_is_idle_when_the_last_one_has_let_go(self) -> None:
        one, two = self.shared(), self.shared()
        self.give_back(one)
        self.assertEqual(self.successResultOf(self.store.idle()), [])
        self.give_back(two)
        self.assertEqual(len(self.successResultOf(self.store.idle())), 1)

    def test_one_that_is_dropped_stays_for_those_who_have_it(self) -> None:
        one, two = self.shared(), self.shared()
        self.successResultOf(one.drop("the server has another one"))
        self.assert_logged("shared cache key is thrown away: the server has another one", LogLevel.info)
        self.assertFalse(fake(two).deleted)
        newer = self.shared()
        self.assertIsNot(newer.folder, two.folder)
        self.give_back(two)
        self.assertTrue(fake(two).deleted)
        self.assertFalse(fake(newer).deleted)

    def test_one_that_is_dropped_does_not_come_back_with_the_next_worker(self) -> None:
        one, _two = self.shared(), self.shared()
        self.successResultOf(one.drop("the server has another one"))
        self.restart()
        self.assertEqual((self.rows(), self.worker.home.folders), ([], {}))

    def test_a_full_disk_keeps_nobody_from_letting_go(self) -> None:
        one, two = self.shared(), self.shared()
        self.worker.table.problem = OSError("disk full")
        self.successResultOf(one.drop("the server has another one"))
        self.successResultOf(two.give_back())
        self.assert_logged("did not take when shared cache key was used last")
        self.assertEqual((self.rows(), self.worker.home.folders), ([], {}))

    def test_one_may_be_dropped_twice(self) -> None:
        one, two = self.shared(), self.shared()
        self.successResultOf(one.drop("the server has another one"))
        self.successResultOf(two.drop("the server has another one"))
        self.assertEqual((self.rows(), self.worker.home.folders), ([], {}))

    def test_a_making_that_fails_after_it_was_given_a_folder_that_cannot_be_removed(self) -> None:
        def make(folder: ICacheFolder, say: Say) -> Deferred[None]:
            self.patch(folder, "delete", lambda: fail(OSError("mounted on")))
            return fail(TaskFailed("404"))

        self.failureResultOf(self.share(make=make), TaskFailed)
        self.assert_logged("removing what was made of key")
