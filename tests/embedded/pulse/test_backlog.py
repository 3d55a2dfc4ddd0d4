"""Messages on their way: their order, what is repeated and what is given up."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.outbox import Message
from tcworker.embedded.pulse.backlog import Backlog, Letter, letter_of


def letter(number: int) -> Letter:
    return letter_of(Message("queue", "task-pending", "key", number))


def backlog_of(count: int, most: int = 1000, largest: int = 1_000_000) -> Backlog:
    backlog = Backlog(most, largest)
    for number in range(count):
        backlog.add(letter(number))
    return backlog


def take_all(backlog: Backlog) -> list[tuple[int, int]]:
    """Give the numbers to confirm by, and which messages they were."""
    taken = []
    while (one := backlog.take()) is not None:
        taken.append((one[0], int(one[1].body)))
    return taken


class Order(SynchronousTestCase):
    def test_first_in_first_out(self) -> None:
        self.assertEqual([message for _, message in take_all(backlog_of(3))], [0, 1, 2])

    def test_what_is_not_confirmed_comes_again_and_before_the_rest(self) -> None:
        backlog = backlog_of(4)
        numbers = [backlog.take()[0] for _ in range(3)]  # type: ignore[index]  # there are four
        backlog.confirm(numbers[1])
        backlog.rewind()
        self.assertEqual([message for _, message in take_all(backlog)], [0, 2, 3])

    def test_a_confirmation_that_comes_too_late_is_of_nothing(self) -> None:
        backlog = backlog_of(1)
        [(early, _)] = take_all(backlog)
        backlog.rewind()
        backlog.confirm(early)
        self.assertEqual(len(take_all(backlog)), 1)

    def test_it_knows_how_many_there_are(self) -> None:
        backlog = backlog_of(3)
        backlog.take()
        self.assertEqual((len(backlog), backlog.unconfirmed), (3, 1))
        backlog.confirm(1)
        self.assertEqual((len(backlog), backlog.unconfirmed), (2, 0))


class Bounds(SynchronousTestCase):
    def test_the_oldest_go(self) -> None:
        backlog = backlog_of(3, most=3)
        self.assertEqual(backlog.add(letter(3)), 1)
        self.assertEqual([message for _, message in take_all(backlog)], [1, 2, 3])

    def test_many_go_at_once(self) -> None:
        backlog = backlog_of(1000, most=1000)
        lost = [backlog.add(letter(0)) for _ in range(11)]
        self.assertEqual(lost, [10] + 9 * [0] + [10])
        self.assertLessEqual(len(backlog), 1000)

    def test_large_ones_are_fewer(self) -> None:
        backlog = backlog_of(0, largest=100_000)
        large = letter_of(Message("queue", "task-pending", "key", "x" * 10_000))
        lost = [backlog.add(large) for _ in range(20)]
        self.assertEqual((sum(lost), len(backlog)), (11, 9))
        self.assertEqual(backlog.add(letter_of(Message("queue", "task-pending", "key", "x" * 200_000))), 9)
        self.assertEqual(len(backlog), 1)

    def test_what_is_on_its_way_counts_until_it_is_confirmed(self) -> None:
        backlog = backlog_of(0, largest=100_000)
        large = letter_of(Message("queue", "task-pending", "key", "x" * 30_000))
        for _ in range(3):
            backlog.add(large)
            backlog.take()
        self.assertEqual([backlog.add(letter(0)), backlog.add(large)], [0, 1])
        backlog.rewind()
        self.assertEqual(len(backlog), 4)
        for number in range(1, 4):
            backlog.take()
            backlog.confirm(3 + number)
        self.assertEqual([backlog.add(large) for _ in range(2)], [0, 0])
