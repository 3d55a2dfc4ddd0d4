"""Who may unpack, and who waits."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.formats import FILE_FORMATS, FOLDER_FORMATS
from tcworker.extract.memory import Budget, Share, address_space, for_unpacking, needed


class Needs(SynchronousTestCase):
    def test_no_format_may_use_less_than_it_counts_for(self) -> None:
        for form in (*FOLDER_FORMATS, *FILE_FORMATS):
            self.assertGreaterEqual(address_space(form), needed(form), form)

    def test_a_format_counts_the_same_in_a_file_and_in_a_folder(self) -> None:
        self.assertEqual(needed("tar.xz"), needed("xz"))
        self.assertGreater(needed("xz"), needed("tar.zst"))

    def test_any_format_finds_room_on_a_machine_of_any_size(self) -> None:
        self.assertGreaterEqual(for_unpacking(), max(needed(form) for form in FOLDER_FORMATS))


class Budgets(SynchronousTestCase):
    def setUp(self) -> None:
        self.budget = Budget(10)

    def test_what_is_there_is_had_at_once(self) -> None:
        self.successResultOf(self.budget.take(6))
        self.successResultOf(self.budget.take(4))

    def test_who_comes_first_is_served_first(self) -> None:
        self.successResultOf(self.budget.take(6))
        large, small = self.budget.take(5), self.budget.take(1)
        self.assertNoResult(large)
        self.assertNoResult(small)
        self.budget.give(6)
        self.successResultOf(large)
        self.successResultOf(small)

    def test_who_goes_keeps_nobody_waiting(self) -> None:
        self.successResultOf(self.budget.take(6))
        large, small = self.budget.take(5), self.budget.take(1)
        large.cancel()
        self.failureResultOf(large, CancelledError)
        self.successResultOf(small)

    def test_more_than_there_is_means_all(self) -> None:
        self.successResultOf(self.budget.take(99))
        waiting = self.budget.take(1)
        self.assertNoResult(waiting)
        self.budget.give(99)
        self.successResultOf(waiting)
        self.successResultOf(self.budget.take(9))


class Shares(SynchronousTestCase):
    def setUp(self) -> None:
        self.whole = Budget(2000)
        self.one, self.other = (Share(self.whole, 2000) for _ in range(2))

    def take(self, share: Share, size: int) -> Deferred[None]:
        return Deferred.fromCoroutine(share.take(size))

    def test_a_run_leaves_some_for_others(self) -> None:
        self.successResultOf(self.take(self.one, 1200))
        more = self.take(self.one, 100)
        self.assertNoResult(more)
        self.successResultOf(self.take(self.other, 768))
        self.one.give(1200)
        self.successResultOf(more)

    def test_twenty_of_the_usual_kind_go_side_by_side_in_one_run_where_there_are_16_gigabytes(self) -> None:
        run = Share(Budget(4096), 4096)
        for _ in range(20):
            self.successResultOf(self.take(run, needed("tar.zst")))

    def test_who_goes_while_all_is_lent_has_taken_nothing_of_its_run(self) -> None:
        self.successResultOf(self.take(self.one, 1200))
        self.successResultOf(self.take(self.other, 700))
        gone = self.take(self.other, 500)
        self.assertNoResult(gone)
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.one.give(1200)
        self.successResultOf(self.take(self.other, 500))
