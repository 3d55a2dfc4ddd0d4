"""What goes first when there is too little room, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.collector import Lack, choose, weight
from tests.hypotheses import given

NOW = 1_800_000_000.0
DAY = 86400.0


@dataclass(frozen=True)
class Thing:
    """Something that is kept."""

    name: str = "a"
    size: int = 100
    age: float = 100.0
    seconds: float = 1.0
    disk: int | None = 1

    @property
    def used(self) -> float:
        return NOW - self.age


def chosen(things: list[Thing], lack: Lack) -> list[Thing]:
    return choose(things, NOW, lack, lambda thing: thing.disk)


def names(things: list[Thing], lacking: int = 0, over: int = 0) -> str:
    return "".join(thing.name for thing in chosen(things, Lack({1: lacking}, over)))


class Weighing(SynchronousTestCase):
    def weighs(self, thing: Thing, expected: float) -> None:
        self.assertAlmostEqual(weight(thing, NOW), expected)

    def test_age_times_bytes_by_the_seconds_that_it_took_to_make(self) -> None:
        self.weighs(Thing(size=1000, age=60, seconds=20), 3000)

    def test_what_was_made_at_once_counts_as_made_in_a_second(self) -> None:
        self.weighs(Thing(size=1000, age=60, seconds=0.001), 60_000)

    def test_of_what_was_used_just_now_or_after_now_the_size_counts(self) -> None:
        self.weighs(Thing(size=1000, age=0), 1000)
        self.weighs(Thing(size=1000, age=-DAY), 1000)


class Order(SynchronousTestCase):
    def first(self, *things: Thing) -> str:
        return names(list(things), lacking=1)

    def test_the_older_of_two_alike(self) -> None:
        self.assertEqual(self.first(Thing("n", age=10), Thing("o", age=20)), "o")

    def test_the_larger_of_two_alike(self) -> None:
        self.assertEqual(self.first(Thing("s", size=10), Thing("l", size=20)), "l")

    def test_the_one_that_is_sooner_made_again(self) -> None:
        self.assertEqual(self.first(Thing("slow", seconds=3600), Thing("q", seconds=5)), "q")

    def test_a_checkout_of_an_hour_outlives_a_download_of_seconds_for_days(self) -> None:
        checkout = Thing("checkout", size=10**9, age=2 * DAY, seconds=3600)
        self.assertEqual(self.first(checkout, Thing("d", size=10**9, age=DAY / 24, seconds=10)), "d")


class HowMuch(SynchronousTestCase):
    THINGS = [Thing("a", 100), Thing("b", 90), Thing("c", 80)]  # noqa: RUF012  # read only

    def test_none_if_there_is_room(self) -> None:
        self.assertEqual(names(self.THINGS), "")
        self.assertFalse(Lack({1: 0, 2: -5}))

    def test_until_what_lacks_is_there(self) -> None:
        self.assertEqual(names(self.THINGS, 100), "a")
        self.assertEqual(names(self.THINGS, 101), "ab")

    def test_until_no_more_is_kept_than_may_be(self) -> None:
        self.assertEqual(names(self.THINGS, over=100), "a")
        self.assertEqual(names(self.THINGS, over=101), "ab")

    def test_one_thing_does_for_both(self) -> None:
        self.assertEqual(names(self.THINGS, 190, over=190), "ab")

    def test_all_if_that_is_not_enough(self) -> None:
        self.assertEqual(names(self.THINGS, 1000), "abc")


class Disks(SynchronousTestCase):
    def choose(self, *things: Thing, **lack: int) -> str:
        by_disk = {int(name[1:]): bytes for name, bytes in lack.items()}
        return "".join(thing.name for thing in chosen(list(things), Lack(by_disk)))

    def test_what_lies_elsewhere_makes_no_room(self) -> None:
        self.assertEqual(self.choose(Thing("e", disk=2, age=DAY), Thing("h"), d1=1), "h")

    def test_each_that_lacks_something_gets_it(self) -> None:
        things = [Thing("a", disk=1), Thing("b", disk=1, age=1), Thing("c", disk=2, age=50), Thing("d", disk=2, age=1)]
        self.assertEqual(self.choose(*things, d1=1, d2=1), "ac")

    def test_where_nobody_knows_it_may_help(self) -> None:
        self.assertEqual(self.choose(Thing("a", disk=None), Thing("b"), d1=150), "ab")


THINGS = st.lists(
    st.builds(
        Thing,
        size=st.integers(0, 10**6),
        age=st.floats(-DAY, 100 * DAY),
        seconds=st.floats(0, DAY),
        disk=st.sampled_from([1, 2, 3]),
    ),
    max_size=30,
)


class WhateverThereIs(SynchronousTestCase):
    @given(THINGS, st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
    def test_enough_goes_and_nothing_too_much(self, things: list[Thing], one: int, two: int, over: int) -> None:
        lack = {1: one, 2: two}
        going = chosen(things, Lack(lack, over))
        staying = [thing for thing in things if all(thing is not gone for gone in going)]
        for disk, lacking in lack.items():
            enough = sum(thing.size for thing in going if thing.disk == disk) >= lacking
            self.assertTrue(enough or not any(thing.disk == disk for thing in staying))
        self.assertTrue(sum(thing.size for thing in going) >= over or not staying)
        if going:
            *before, last = going
            of_disk = sum(thing.size for thing in before if thing.disk == last.disk)
            needed = of_disk < lack.get(last.disk or 0, 0) or sum(thing.size for thing in before) < over
            self.assertTrue(needed)

    @given(THINGS, st.integers(0, 10**7))
    def test_nothing_that_stays_is_heavier_than_what_goes(self, things: list[Thing], over: int) -> None:
        going = chosen(things, Lack({}, over))
        weights = sorted((weight(thing, NOW) for thing in things), reverse=True)
        self.assertEqual([weight(thing, NOW) for thing in going], weights[: len(going)])
