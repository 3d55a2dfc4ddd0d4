"""All caches of a worker together: what is thrown away, purged, swept, and what all of them take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import LogLevel

from tcworker.cache.rows import DOWNLOADS, EXCLUSIVE, SHARED, Row
from tcworker.cache.store import PAGE
from tcworker.interfaces import IHeldCache
from tests.cache.surroundings import NOW, CacheCase, fake

MEGABYTE = 1 << 20


class StoreCase(CacheCase):
    def of_size(self, megabytes: int, name: str = "checkouts") -> IHeldCache:
        held = self.take(name)
        fake(held).measured = megabytes * MEGABYTE
        self.give_back(held)
        return held

    def throw_away(self, rows: list[Row]) -> tuple[list[Row], list[tuple[Row, str]]]:
        """Those that are gone, and those that are not."""
        thrown = self.successResultOf(self.store.throw_away(rows))
        return list(thrown.gone), list(thrown.failed)

    def purge(self, name: str = "checkouts", **before: float) -> str:
        return self.successResultOf(self.store.purge(name, **before))


class ThrowingAway(StoreCase):
    def test_those_that_nobody_has_go_with_one_write(self) -> None:
        one, two = self.of_size(1), self.of_size(2, "other")
        before = self.worker.table.writes
        rows = self.rows()
        self.assertEqual(self.throw_away(rows), (rows, []))
        self.assertTrue(fake(one).deleted and fake(two).deleted)
        self.assertEqual((self.store.total, self.rows()), (0, []))
        self.assertEqual((self.worker.table.writes, self.worker.table.kept), (before + 1, {}))

    def test_one_that_somebody_took_meanwhile_stays(self) -> None:
        held = self.kept()
        rows = self.rows()
        self.take()
        self.assertEqual(self.throw_away(rows), ([], []))
        self.assertFalse(fake(held).deleted)

    def test_one_that_went_meanwhile_is_no_error(self) -> None:
        self.kept()
        rows = self.rows()
        self.throw_away(rows)
        self.assertEqual(self.throw_away(rows), ([], []))

    def test_one_failure_stops_nothing(self) -> None:
        one, two = self.kept("one"), self.kept("two")
        self.patch(fake(one), "delete", lambda: fail(OSError("mounted on")))
        rows = self.rows()
        self.assertEqual(self.throw_away(rows), ([rows[1]], [(rows[0], "OSError: mounted on")]))
        self.assertTrue(fake(two).deleted)
        self.assertEqual(self.names(), [])

    def test_a_disk_too_full_to_remember_it_is_made_free(self) -> None:
        held = self.kept()
        self.worker.table.problem = OSError("disk full")
        rows = self.rows()
        self.assertEqual(self.throw_away(rows), (rows, []))
        self.assert_logged("did not take that caches are gone")
        self.assertTrue(fake(held).deleted)

    def test_it_goes_on_when_nobody_waits_for_it(self) -> None:
        held = self.kept()
        self.worker.table.hold = True
        throwing = self.store.throw_away(self.rows())
        throwing.cancel()
        self.failureResultOf(throwing)
        self.worker.table.release()
        self.assertTrue(fake(held).deleted)

    def test_all_is_settled_when_nothing_is_being_removed(self) -> None:
        held = self.take()
        removing: Deferred[None] = Deferred()
        self.patch(fake(held), "delete", lambda: removing)
        self.successResultOf(held.drop("the task was killed"))
        settled = self.store.settled()
        self.assertNoResult(settled)
        removing.callback(None)
        self.successResultOf(settled)

    def test_it_is_not_settled_while_what_goes_is_being_forgotten(self) -> None:
        held = self.take()
        self.worker.table.hold = True
        dropping, settled = held.drop("the task was killed"), self.store.settled()
        self.assertNoResult(settled)
        self.worker.table.release()
        self.successResultOf(dropping)
        self.successResultOf(settled)


class Purging(StoreCase):
    def test_there_is_nothing(self) -> None:
        self.kept("other")
        self.assertEqual(self.purge(), "")
        self.assertEqual(self.names(), ["other"])

    def test_those_that_nobody_has_go(self) -> None:
        self.of_size(3)
        self.assertEqual(self.purge(), "1 being removed (3.0 MiB)")
        self.assertEqual(self.rows(), [])

    def test_those_in_use_go_when_they_are_given_back(self) -> None:
        held = self.take()
        self.assertEqual(self.purge(), "1 in use, will be gone when its task ends")
        self.assertEqual([row.purged for row in self.worker.table.kept.values()], [True])
        self.assertEqual(self.purge(), "")
        self.give_back(held)
        self.assertTrue(fake(held).deleted)
        self.assertEqual((self.rows(), self.worker.table.kept), ([], {}))

    def test_who_asks_after_that_gets_another_one(self) -> None:
        held = self.take()
        self.purge()
        self.assertIsNot(self.take(run="b/0").folder, held.folder)

    def test_a_restart_forgets_it_not(self) -> None:
        self.take()
        self.purge()
        self.worker.table.kept = {id: replace(row, run=None) for id, row in self.worker.table.kept.items()}
        self.restart()
        self.assertEqual((self.rows(), self.worker.home.folders), ([], {}))

    def test_those_made_later_stay(self) -> None:
        self.kept()
        self.assertEqual(self.purge(before=NOW), "")
        self.assertEqual(self.purge(before=NOW + 0.5), "1 being removed (0.0 MiB)")

    def test_when_it_was_made_counts_and_not_when_it_was_filled_or_used(self) -> None:
        self.kept()
        self.kept()
        self.assertEqual(self.purge(before=NOW + 0.5), "1 being removed (0.0 MiB)")

    def test_what_many_read_is_no_cache_of_that_name(self) -> None:
        self.shared("checkouts")
        self.assertEqual(self.purge(), "")

    def test_a_state_that_cannot_be_written_is_told(self) -> None:
        self.take()
        self.worker.table.problem = OSError("disk full")
        self.failureResultOf(self.store.purge("checkouts"))


class Clearing(StoreCase):
    def test_all_go(self) -> None:
        self.of_size(1)
        self.give_back(self.shared())
        held, read = self.take("other"), self.shared("read")
        said = self.successResultOf(self.store.clear())
        self.assertEqual(said, "2 being removed (1.0 MiB), 2 in use, will be gone when their tasks end")
        self.give_back(held, read)
        self.assertEqual((self.rows(), self.worker.home.folders), ([], {}))

    def test_what_is_read_is_made_anew_for_the_next(self) -> None:
        read = self.shared()
        self.successResultOf(self.store.clear())
        self.assertIsNot(self.shared().folder, read.folder)


class Sweeping(StoreCase):
    def test_what_is_nobody_s_goes_from_each_place(self) -> None:
        self.kept()
        self.restart()
        for home in (self.worker.home, self.worker.downloads):
            self.successResultOf(home.new("forgotten"))
            home.forget_all()
        self.successResultOf(self.store.sweep())
        self.assertEqual((self.worker.home.folders, self.worker.downloads.folders), ({}, {}))

    def test_one_place_that_fails_keeps_no_other_from_it(self) -> None:
        self.restart()
        self.worker.downloads.problem = OSError("no such disk")
        self.successResultOf(self.worker.home.new("forgotten"))
        self.worker.home.forget_all()
        self.successResultOf(self.store.sweep())
        self.assert_logged("sweeping the folders of downloads failed")
        self.assertEqual(self.worker.home.folders, {})


class Closing(StoreCase):
    def test_what_is_being_removed_is_left_to_the_next_start(self) -> None:
        held = self.take()
        removing: Deferred[None] = Deferred()
        self.patch(fake(held), "delete", lambda: removing)
        self.successResultOf(held.drop("the task was killed"))
        self.successResultOf(self.store.close())
        self.restart()
        self.assertEqual(self.worker.home.folders, {})

    def test_no_removal_goes_on(self) -> None:
        held = self.take()
        removing: Deferred[None] = Deferred()
        self.patch(fake(held), "delete", lambda: removing)
        self.successResultOf(held.drop("the task was killed"))
        self.assertNoResult(removing)
        self.successResultOf(self.store.close())
        self.assertTrue(removing.called)

    def test_only_who_knew_what_there_is_says_that_all_is_well(self) -> None:
        ends: list[str] = []
        self.patch(self.worker.table, "end", lambda: succeed(ends.append("end")))
        self.successResultOf(self.store.close())
        self.assertEqual(ends, [])
        self.restart()
        self.successResultOf(self.store.close())
        self.assertEqual(ends, ["end"])


class VeryMany(StoreCase):
    """Nothing of this may hold the reactor up for long, so that no row is written alone."""

    MANY = 10_000

    def setUp(self) -> None:
        super().setUp()
        homes: list[Any] = [self.worker.home, self.worker.downloads]
        for number in range(1, self.MANY + 1):
            home = homes[number % 2]
            folder = self.successResultOf(home.new(f"cache {number}"))
            kind, platform = (EXCLUSIVE, "fake") if home is homes[0] else (SHARED, DOWNLOADS)
            row = Row(number, kind, platform, folder.name, NOW, NOW, folder.details, size=number)  # type: ignore[arg-type]  # so
            self.worker.table.kept[number] = row

    def test_all_are_found_and_can_all_go(self) -> None:
        writes = self.worker.table.writes
        self.restart()
        self.assertEqual(self.store.total, sum(range(self.MANY + 1)))
        rows = list(self.successResultOf(self.store.idle()))
        self.assertEqual(len(rows), self.MANY)
        self.assertEqual(len(self.throw_away(rows)[0]), self.MANY)
        # One for each page that is looked at, and one for all that go: bench/bench_caches.py has the seconds.
        self.assertEqual(self.worker.table.writes - writes, self.MANY // PAGE + 1)


class Lines(StoreCase):
    def test_a_dropped_one_stands_in_the_log_once(self) -> None:
        held = self.take()
        self.successResultOf(held.drop("the task was killed"))
        self.successResultOf(held.drop("again"))
        self.assert_logged("the task was killed", LogLevel.info)
        self.assertEqual(sum("thrown away" in str(event.get("log_format")) for event in self.events), 1)
