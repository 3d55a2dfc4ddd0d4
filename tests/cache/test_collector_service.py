"""Room is made when there is too little of it, of what nobody uses, and is said."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache import collecting
from tcworker.cache.collector_service import AGAIN, LOOK_EVERY, PATIENCE, SWEEP_EVERY, CollectorService
from tcworker.cache.places import Places, Pressure
from tcworker.cache.rows import Row
from tcworker.interfaces import RoomMade
from tcworker.testing.facilities import NoThreads
from tcworker.watch.disks import MEGABYTE, Disk, Need
from tests.cache.stock import NOW, Disks, FakeStock, thing

REQUIRED = 100


class CollectorCase(SynchronousTestCase):
    """A worker that needs 100 MiB, and what it keeps, on one disk."""

    required = REQUIRED
    most: int | None = None

    def setUp(self) -> None:
        self.clock = Clock()
        self.disks = Disks(disk=REQUIRED)
        self.patch(Disk, "of", self.disks.of)
        self.patch(collecting, "device_of", lambda folder: self.disks.of(folder).device)
        self.stock = FakeStock(self.disks)
        self.sweeps: list[str] = []
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)
        self.service = self.new_service()
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def new_service(self) -> CollectorService:
        places = Places([Need("/disk/tasks", self.required * MEGABYTE)], ["/disk/caches"])
        most = None if self.most is None else self.most * MEGABYTE
        sweeps = [self.sweep, lambda: fail(OSError("gone")), self.sweep]
        return CollectorService(self.clock, NoThreads(), self.stock, places, most, lambda: NOW, sweeps)

    def sweep(self) -> Deferred[None]:
        self.sweeps.append("swept")
        return succeed(None)

    def hear(self, event: Any) -> None:
        self.said.append(formatEvent(event))

    def keep(self, *things: Row) -> None:
        self.stock.things += things

    def lines(self, part: str) -> list[str]:
        return [line for line in self.said if part in line]

    def make_room(self, pressure: Pressure = Pressure.USUAL) -> RoomMade:
        return self.successResultOf(self.service.make_room(pressure))


class MakingRoom(CollectorCase):
    def test_with_enough_of_it_nothing_goes(self) -> None:
        self.keep(thing(1, "a"))
        self.assertIs(self.make_room(), RoomMade.NONE)
        self.assertEqual((self.stock.names, self.said), ("a", []))

    def test_as_much_goes_as_is_needed_and_no_more(self) -> None:
        self.disks.free["/disk"] = REQUIRED - 15
        self.keep(thing(1, "a", age=3), thing(2, "b", age=2), thing(3, "c", age=1))
        self.assertIs(self.make_room(), RoomMade.SOME)
        self.assertEqual((self.stock.names, self.disks.free["/disk"]), ("c", REQUIRED + 5))

    def test_what_lies_on_another_disk_stays(self) -> None:
        self.disks.free |= {"/disk": REQUIRED - 15, "/other": 1000}
        self.disks.files["/other"] = (0, 0)
        self.keep(thing(1, "a", age=9, path="/other/caches/x"), thing(2, "b", age=1), thing(3, "c", age=2))
        self.make_room()
        self.assertEqual(self.stock.names, "a")

    def test_what_nobody_has_measured_yet_went_as_well(self) -> None:
        self.disks.free["/disk"] = REQUIRED - 15
        self.keep(thing(1, "a", megabytes=0))
        self.assertIs(self.make_room(), RoomMade.SOME)

    def test_what_is_in_use_stays(self) -> None:
        self.disks.free["/disk"] = REQUIRED - 15
        self.keep(thing(1, "a", age=3), thing(2, "b", age=2))
        self.stock.in_use = {1}
        self.make_room()
        self.assertEqual(self.stock.names, "a")

    def test_it_goes_by_what_is_free_and_not_by_what_should_be(self) -> None:
        # What shares its blocks with something else frees nothing.
        self.disks.free["/disk"], self.stock.saved = REQUIRED - 10, 0.5
        self.keep(thing(1, "a", age=3), thing(2, "b", age=2), thing(3, "c", age=1))
        self.make_room()
        self.assertEqual((self.stock.names, self.disks.free["/disk"]), ("c", REQUIRED))

    def test_what_cannot_go_keeps_nothing_else_from_it(self) -> None:
        self.disks.free["/disk"], self.stock.stuck = REQUIRED - 20, {1}
        self.keep(thing(1, "a", age=3), thing(2, "b", age=2), thing(3, "c", age=1))
        self.assertIs(self.make_room(), RoomMade.SOME)
        self.assertEqual((self.stock.names, self.disks.free["/disk"]), ("a", REQUIRED))
        self.assertEqual(self.lines("cannot"), ["cache a cannot be thrown away: it is immutable"])

    def test_what_somebody_takes_in_the_last_moment_stays_without_a_word(self) -> None:
        self.disks.free["/disk"], self.stock.taken = REQUIRED - 10, {1}
        self.keep(thing(1, "a", age=3), thing(2, "b", age=2))
        self.make_room()
        self.assertEqual((self.stock.names, self.lines("away: cache a")), ("a", []))

    def test_what_is_being_removed_already_is_waited_for(self) -> None:
        self.disks.free["/disk"], self.stock.removing = 0, Deferred()
        self.keep(thing(1, "a"))
        made = self.service.make_room()
        self.disks.free["/disk"] = REQUIRED
        self.stock.removing.callback(None)
        self.assertIs(self.successResultOf(made), RoomMade.SOME)
        self.assertEqual(self.stock.names, "a")

    def test_and_is_room_though_nothing_else_can_go(self) -> None:
        self.stock.removing = Deferred()
        made = self.service.make_room(Pressure.MORE)
        self.stock.removing.callback(None)
        self.assertIs(self.successResultOf(made), RoomMade.SOME)
        self.stock.removing = succeed(None)
        self.assertIs(self.make_room(Pressure.MORE), RoomMade.NONE)

    def test_many_go_part_by_part(self) -> None:
        self.patch(collecting, "PART", 30)
        self.disks.free["/disk"] = 0
        self.keep(*(thing(number, "x", megabytes=1) for number in range(1000)))
        self.make_room()
        self.assertEqual([len(names) for names in self.stock.asked], [30, 30, 30, 10])

    def test_a_disk_with_too_many_files_gets_rid_of_some(self) -> None:
        self.disks.files["/disk"] = (3000, 0)
        self.keep(*(thing(number, "x") for number in range(32)))
        self.assertIs(self.make_room(), RoomMade.SOME)
        # Nobody knows which of them have many files: by and by all go.
        self.assertEqual([len(names) for names in self.stock.asked][:3], [3, 2, 2])
        self.assertEqual(self.stock.names, "")


class HowItIsSaid(CollectorCase):
    def test_what_went_and_why(self) -> None:
        self.disks.free["/disk"] = REQUIRED - 5
        self.keep(thing(1, "checkouts", age=90000, seconds=12.34))
        self.make_room()
        self.assertEqual(
            self.said,
            [
                "throwing away 1 of what is kept for tasks, because the disk of /disk/tasks has 95 MiB free, 5 MiB"
                " less than the 100 that a task needs there",
                "thrown away: cache checkouts (10.0 MiB, unused for 1 day, 1:00:00, made in 12.3 s)",
            ],
        )

    def test_of_thousands_not_each(self) -> None:
        self.disks.free["/disk"] = 0
        self.keep(*(thing(number, "x", megabytes=1) for number in range(1000)))
        self.make_room()
        self.assertEqual(len(self.lines("thrown away: ")), collecting.MOST_LINES)
        self.assertEqual(len(self.said), collecting.MOST_LINES + 2)

    def test_that_nothing_is_left_once_and_every_hour(self) -> None:
        self.disks.free["/disk"] = 1
        self.keep(thing(1, "a"))
        self.stock.in_use = {1}
        self.assertEqual({self.make_room(), self.make_room()}, {RoomMade.NONE})
        line = "nothing is left to throw away: the disk of /disk/tasks has 1 MiB free, 99 MiB less than the 100"
        self.assertEqual(len(self.lines(line)), 1)
        self.assertIn("tasks use 10.0 MiB", self.said[-1])
        self.clock.pump([AGAIN / 4] * 5)
        self.assertEqual(len(self.lines(line)), 2)
        self.flushLoggedErrors(OSError)

    def test_and_again_when_there_was_some_meanwhile(self) -> None:
        for free in (1, REQUIRED, 1):
            self.disks.free["/disk"] = free
            self.make_room()
        self.assertEqual(len(self.lines("nothing is left")), 2)


class HowMuchMayBeKept(CollectorCase):
    most = 25

    def test_more_is_thrown_away_though_there_is_room(self) -> None:
        self.disks.free["/disk"] = 900
        self.keep(thing(1, "a", age=3), thing(2, "b", age=2))
        self.assertFalse(self.service.over)
        self.keep(thing(3, "c", age=1))
        self.assertTrue(self.service.over)
        self.assertIs(self.make_room(), RoomMade.SOME)
        self.assertEqual((self.stock.names, self.service.over), ("bc", False))
        self.assertIn("5.0 MiB more is kept for tasks than may be (cachesMaxMegabytes)", self.said[0])


class SomebodyHadNoRoom(CollectorCase):
    """What is required was not enough: a tenth of the disk, 100 MiB of 1000, is."""

    required = 10

    def setUp(self) -> None:
        super().setUp()
        self.keep(*(thing(number, chr(97 + number), age=100 - number) for number in range(12)))
        self.disks.free["/disk"] = 70

    def test_a_tenth_of_the_disk_is_made_free_once(self) -> None:
        self.assertIs(self.make_room(), RoomMade.NONE)
        self.assertIs(self.make_room(Pressure.FULL), RoomMade.SOME)
        self.assertEqual((self.stock.names, self.disks.free["/disk"]), ("defghijkl", 100))
        self.disks.free["/disk"] = 70
        self.assertIs(self.make_room(), RoomMade.NONE)

    def test_nobody_need_wait_for_it(self) -> None:
        before = len(self.clock.getDelayedCalls())
        self.stock.going = Deferred()
        self.service.begin_to_make_room(Pressure.FULL)
        self.assertEqual((self.stock.asked, len(self.clock.getDelayedCalls())), (["abc"], before))

    def test_who_tries_again_finds_more_however_much_is_free_by_now(self) -> None:
        self.disks.free["/disk"] = 500
        for left in ("klmnop"[:2], ""):
            self.assertIs(self.make_room(Pressure.MORE), RoomMade.SOME)
            self.assertEqual(self.stock.names, left)
        self.assertIs(self.make_room(Pressure.MORE), RoomMade.NONE)

    def test_that_comes_while_less_is_being_done(self) -> None:
        self.disks.free["/disk"] = 0
        going = self.stock.going = Deferred()
        made, more = self.service.make_room(), self.service.make_room(Pressure.FULL)
        self.assertEqual(self.stock.asked, ["a"])
        self.going = self.stock.going = Deferred()
        going.callback(None)
        self.assertIs(self.successResultOf(made), RoomMade.SOME)
        self.assertNoResult(more)
        self.going.callback(None)
        self.assertIs(self.successResultOf(more), RoomMade.SOME)
        self.assertEqual(self.stock.asked, ["a", "bcdefghij"])

    def test_who_needs_most_has_it_though_others_that_wait_need_less(self) -> None:
        self.disks.free["/disk"], going = 0, Deferred[None]()
        self.stock.going = going
        self.service.make_room()
        waiting = [self.service.make_room(pressure) for pressure in (Pressure.FULL, Pressure.MORE, Pressure.FULL)]
        self.disks.free["/disk"] = 500
        going.callback(None)
        for each in waiting:
            self.assertIs(self.successResultOf(each), RoomMade.SOME)
        self.assertEqual(self.stock.asked, ["a", "bcdefghijk"])

    def test_that_comes_before_a_stop_is_answered(self) -> None:
        self.disks.free["/disk"], self.stock.going = 0, Deferred()
        self.service.make_room()
        more = self.service.make_room(Pressure.FULL)
        self.successResultOf(self.service.stopService())
        self.assertIs(self.successResultOf(more), RoomMade.NONE)


class ManyAsk(CollectorCase):
    def setUp(self) -> None:
        super().setUp()
        self.disks.free["/disk"] = REQUIRED - 10
        self.keep(thing(1, "a"))
        self.going = self.stock.going = Deferred[None]()
        self.first = self.service.make_room()

    def test_it_is_done_once_for_all(self) -> None:
        second = self.service.make_room()
        self.going.callback(None)
        self.assertEqual([self.successResultOf(each) for each in (self.first, second)], [RoomMade.SOME] * 2)
        self.assertEqual(self.stock.asked, ["a"])

    def test_one_that_does_not_wait_keeps_nobody_from_it(self) -> None:
        second = self.service.make_room()
        self.first.cancel()
        self.failureResultOf(self.first, CancelledError)
        self.going.callback(None)
        self.assertIs(self.successResultOf(second), RoomMade.SOME)

    def test_nobody_waits_for_ever(self) -> None:
        self.clock.advance(PATIENCE)
        self.assertIs(self.successResultOf(self.first), RoomMade.NOT_YET)
        again = self.service.make_room()
        self.going.callback(None)
        self.assertIs(self.successResultOf(again), RoomMade.SOME)
        self.assertEqual((self.stock.names, self.stock.asked), ("", ["a"]))

    def test_when_it_stops_all_have_their_answer_and_nothing_is_left(self) -> None:
        self.successResultOf(self.service.stopService())
        self.assertIs(self.successResultOf(self.first), RoomMade.NONE)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIs(self.make_room(), RoomMade.NONE)


class NowAndThen(CollectorCase):
    def test_it_looks_every_minute(self) -> None:
        self.keep(thing(1, "a"))
        self.disks.free["/disk"] = REQUIRED - 5
        self.clock.advance(LOOK_EVERY - 1)
        self.assertEqual(self.stock.names, "a")
        self.clock.advance(1)
        self.assertEqual(self.stock.names, "")

    def test_it_sweeps_every_hour_whatever_becomes_of_a_part_of_it(self) -> None:
        self.clock.pump([SWEEP_EVERY / 4] * 4)
        self.assertEqual(self.sweeps, ["swept"] * 2)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.clock.pump([SWEEP_EVERY / 4] * 4)
        self.assertEqual(self.sweeps, ["swept"] * 4)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_a_look_that_fails_is_said_and_the_next_one_is_taken(self) -> None:
        self.patch(self.stock, "idle", lambda: fail(RuntimeError("no table")))
        self.disks.free["/disk"] = 0
        self.assertIs(self.make_room(), RoomMade.NONE)
        self.clock.advance(LOOK_EVERY)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
