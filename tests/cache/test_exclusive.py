"""Caches that tasks write to: who gets which, what is kept, and what is not."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel

from tcworker.cache.rows import Row
from tcworker.errors import FeatureNotSupported
from tests.cache.surroundings import NOW, CacheCase, fake


class Taking(CacheCase):
    def test_the_first_one_is_new(self) -> None:
        held = self.take()
        self.assertTrue(held.fresh)
        self.assertEqual((held.folder.name, held.facts), ("checkouts", None))

    def test_the_next_run_gets_what_the_last_one_gave_back(self) -> None:
        first = self.kept()
        second = self.take(run="b/0")
        self.assertIs(second.folder, first.folder)
        self.assertFalse(second.fresh)

    def test_no_two_runs_have_one(self) -> None:
        self.assertIsNot(self.take(run="a/0").folder, self.take(run="b/0").folder)

    def test_names_are_apart(self) -> None:
        self.assertIsNot(self.kept("one").folder, self.take("two").folder)

    def test_the_one_used_last_is_used_first(self) -> None:
        one, two = self.take(), self.take()
        self.give_back(two, one)
        self.assertIs(self.take().folder, one.folder)

    def test_a_row_says_who_has_it_before_anybody_has_it(self) -> None:
        self.kept()
        self.worker.table.hold = True
        taking = self.run_of("b/0").exclusive("checkouts")
        self.assertNoResult(taking)
        self.assertEqual([row.run for row in self.rows()], ["b/0"])
        self.worker.table.release()
        self.successResultOf(taking)

    def test_it_was_used_when_it_was_taken(self) -> None:
        """Also if the worker dies before it is given back: a machine that went down may have lost what came after."""
        self.kept()
        self.clock.advance(10)
        self.take()
        (row,) = self.worker.table.kept.values()
        self.assertEqual(row.used, NOW + 11)

    def test_it_costs_one_write(self) -> None:
        self.kept()
        before = self.worker.table.writes
        held = self.take()
        self.assertEqual(self.worker.table.writes, before + 1)
        self.give_back(held)
        self.assertEqual(self.worker.table.writes, before + 2)

    def test_who_goes_away_while_it_waits_has_none(self) -> None:
        first = self.kept()
        self.worker.table.hold = True
        taking = self.run_of("b/0").exclusive("checkouts")
        taking.cancel()
        self.failureResultOf(taking)
        self.worker.table.release()
        self.assertIs(self.take().folder, first.folder)

    def test_a_new_one_that_nobody_waits_for_is_removed(self) -> None:
        self.worker.home.hold = True
        taking = self.run_of("b/0").exclusive("checkouts")
        taking.cancel()
        self.failureResultOf(taking)
        self.worker.home.release()
        self.assertEqual((self.worker.home.folders, self.rows()), ({}, []))

    def test_one_whose_folder_somebody_removed_is_none(self) -> None:
        older, newer = self.take(), self.take()
        self.give_back(older, newer)
        del self.worker.home.folders[newer.folder.details["number"]]
        self.assertIs(self.take().folder, older.folder)
        self.assert_logged("cache checkouts is thrown away: somebody removed its folder", LogLevel.info)
        self.assertEqual(len(self.rows()), 1)

    def test_a_new_one_if_all_folders_are_gone(self) -> None:
        self.kept()
        self.worker.home.folders.clear()
        self.assertTrue(self.take().fresh)

    def test_who_goes_away_while_the_folder_is_looked_for_has_none(self) -> None:
        first = self.kept()
        self.worker.home.hold = True
        taking = self.run_of("b/0").exclusive("checkouts")
        taking.cancel()
        self.failureResultOf(taking)
        self.worker.home.release()
        self.assertIs(self.take().folder, first.folder)

    def test_a_platform_without_caches(self) -> None:
        self.worker.home.problem = FeatureNotSupported("no caches")
        self.failureResultOf(self.run_of("a/0").exclusive("checkouts"), FeatureNotSupported)
        self.assertEqual(self.rows(), [])

    def test_what_cannot_be_remembered_is_not_given(self) -> None:
        self.worker.table.problem = OSError("disk full")
        self.failureResultOf(self.run_of("a/0").exclusive("checkouts"), OSError)
        self.assertEqual((self.rows(), self.worker.home.folders), ([], {}))
        self.assert_logged("did not take that caches are gone")

    def test_a_folder_that_cannot_be_looked_for_either_is_no_other_fault(self) -> None:
        first = self.kept()
        looking: Deferred[bool] = fail(OSError(5, "EIO"))
        self.patch(first.folder, "is_there", lambda: looking)
        self.worker.table.problem = OSError("disk full")
        self.failureResultOf(self.run_of("b/0").exclusive("checkouts"), OSError)
        self.assertIsNone(self.successResultOf(looking))
        self.assert_logged("did not take that cache checkouts was given back")

    def test_one_that_is_there_stays_for_others_then(self) -> None:
        first = self.kept()
        self.worker.table.problem = OSError("disk full")
        self.failureResultOf(self.run_of("a/0").exclusive("checkouts"), OSError)
        self.assert_logged("did not take that cache checkouts was given back")
        self.worker.table.problem = None
        self.assertIs(self.take().folder, first.folder)


class GivingBack(CacheCase):
    def test_so_many_are_kept_of_a_name_and_the_others_used_last(self) -> None:
        held = [self.take() for _ in range(4)]
        self.give_back(*held)
        self.assertEqual([fake(each).deleted for each in held], [True, True, False, False])
        self.assertEqual(len(self.rows()), self.capacity)

    def test_those_in_use_do_not_count(self) -> None:
        used = [self.take() for _ in range(3)]
        self.kept()
        self.assertEqual(len(self.rows()), 4)
        self.assertFalse(any(fake(each).deleted for each in used))

    def test_only_the_first_word_counts(self) -> None:
        held = self.kept()
        again = self.take()
        self.successResultOf(held.give_back())
        self.successResultOf(held.drop("late"))
        self.assertEqual(self.rows()[0].run, "a/0")
        self.give_back(again)

    def test_it_is_measured(self) -> None:
        held = self.take()
        fake(held).measured = 4096
        self.give_back(held)
        self.assertEqual((self.rows()[0].size, self.store.total), (4096, 4096))

    def test_a_size_found_while_the_next_run_has_it_means_nothing(self) -> None:
        held = self.take()
        measuring: Deferred[int] = Deferred()
        self.patch(fake(held), "measure", lambda: measuring)
        self.give_back(held)
        self.take()
        measuring.callback(17)
        self.assertEqual(self.rows()[0].size, 0)

    def test_one_that_cannot_be_measured_is_kept(self) -> None:
        held = self.take()
        self.patch(fake(held), "measure", lambda: fail(OSError("no du")))
        self.give_back(held)
        self.assert_logged("measuring cache checkouts")
        self.assertFalse(self.take().fresh)

    def test_it_is_as_old_as_the_wish_for_it(self) -> None:
        """Who asks for a purge while its folder is made does not mean what comes into it."""
        self.worker.home.hold = True
        taking = self.run_of("a/0").exclusive("checkouts")
        self.clock.advance(10)
        self.worker.home.release()
        self.successResultOf(taking)
        self.assertEqual(self.rows()[0].created, NOW)

    def test_what_it_took_to_make_is_the_time_of_its_first_run(self) -> None:
        held = self.take()
        self.clock.advance(59)
        self.give_back(held)
        again = self.take()
        self.clock.advance(10)
        self.give_back(again)
        row = self.rows()[0]
        self.assertEqual((row.created, row.used, row.seconds), (NOW, NOW + 71, 60))

    def test_what_its_platform_noted_is_remembered(self) -> None:
        held = self.take()
        fake(held).details["uid"] = 40_001
        self.give_back(held)
        self.assertEqual(self.rows()[0].details["uid"], 40_001)

    def test_a_disk_that_is_full_costs_the_next_worker_a_cache_and_this_one_nothing(self) -> None:
        held = self.take()
        self.worker.table.problem = OSError("disk full")
        self.give_back(held)
        self.assert_logged("did not take that cache checkouts was given back")
        self.worker.table.problem = None
        self.assertFalse(self.take().fresh)
        self.restart()
        self.assertTrue(self.take().fresh)

    def test_who_goes_away_meanwhile_has_given_it_back(self) -> None:
        held = self.take()
        self.worker.table.hold = True
        giving = held.give_back()
        giving.cancel()
        self.failureResultOf(giving)
        self.worker.table.release()
        self.assertIsNone(self.rows()[0].run)


class Dropping(CacheCase):
    def test_nobody_gets_it_again(self) -> None:
        held = self.take()
        self.successResultOf(held.drop("the task was killed"))
        self.assertTrue(fake(held).deleted)
        self.assertEqual((self.rows(), self.worker.table.kept), ([], {}))
        self.assertTrue(self.take().fresh)

    def test_it_is_dropped_when_not_even_the_next_worker_could_get_it(self) -> None:
        held = self.take()
        self.worker.table.hold = True
        dropping = held.drop("the task was killed")
        self.assertNoResult(dropping)
        self.worker.table.release()
        self.successResultOf(dropping)

    def test_the_log_says_why(self) -> None:
        self.successResultOf(self.take().drop("the task was killed"))
        self.assert_logged("cache checkouts is thrown away: the task was killed", LogLevel.info)

    def test_one_that_cannot_be_removed_is_gone_all_the_same(self) -> None:
        held = self.take()
        self.patch(fake(held), "delete", lambda: fail(OSError("mounted on")))
        self.successResultOf(held.drop("the task was killed"))
        self.assert_logged("cache checkouts cannot be removed: OSError: mounted on")
        self.assertEqual(self.rows(), [])


class AfterADeath(CacheCase):
    def test_what_nobody_had_is_there(self) -> None:
        first = self.kept()
        self.restart()
        self.assertIs(self.take().folder, first.folder)

    def test_what_a_run_had_is_not(self) -> None:
        held = self.kept()
        self.take(run="b/0")
        self.restart()
        self.assert_logged("thrown away: the worker before this one ended while b/0 had it", LogLevel.info)
        self.assertEqual((self.rows(), self.worker.table.kept, self.worker.home.folders), ([], {}, {}))
        self.assertIsNot(self.take().folder, held.folder)

    def test_what_was_being_made_is_not(self) -> None:
        self.take()
        self.restart()
        self.assertEqual((self.rows(), self.worker.home.folders), ([], {}))

    def test_a_row_without_its_folder_is_none(self) -> None:
        self.kept()
        self.worker.home.folders.clear()
        self.restart()
        self.assertEqual((self.rows(), self.worker.table.kept), ([], {}))

    def test_a_folder_without_a_row_is_none(self) -> None:
        self.kept()
        self.worker.table.kept.clear()
        self.restart()
        self.assertEqual(self.worker.home.folders, {})

    def test_one_of_a_platform_that_is_no_more(self) -> None:
        self.kept()
        self.worker.table.kept = {id: self.of_docker(id) for id in self.worker.table.kept}
        self.restart()
        self.assertEqual(self.rows(), [])

    def test_no_number_comes_again(self) -> None:
        self.take()
        number = self.rows()[0].id
        self.restart()
        self.take()
        self.assertGreater(self.rows()[0].id, number)

    def test_what_was_given_back_just_before_the_machine_went_down(self) -> None:
        older = self.kept("older")
        self.give_back(self.shared())
        self.clock.advance(61)
        self.kept("newer")
        self.give_back(self.shared())
        self.worker.table.went_down = True
        self.restart()
        self.assertEqual(self.names(), ["older", "key"])
        self.assertIs(self.take("older").folder, older.folder)

    def of_docker(self, id: int) -> Row:
        return replace(self.worker.table.kept[id], platform="docker")
