"""Whether there is disk and memory enough for another task, what else may hold it back, and how often that is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims import room as rooms
from tcworker.claims.room import AGAIN, MemoryNeed, Room, Shortage
from tcworker.interfaces import RoomMade
from tcworker.testing.facilities import FakeFacilities, NoThreads
from tcworker.watch.disks import MEGABYTE, Disk
from tcworker.watch.memory import Memory

TASKS, STATE, CACHES = "/disk/tasks", "/disk/state", "/disk/caches"


class FakeKept:
    """What is kept for tasks: each time that it makes room, some of it goes from the disk of tasks.

    @ivar megabytes: what goes, at each time.
    @ivar slow: whether more is being thrown away still when nobody waits any longer.
    """

    def __init__(self, free: dict[str, int], *megabytes: int) -> None:
        self.free = free
        self.megabytes = list(megabytes)
        self.over = False
        self.slow = False
        self.asked = 0

    def make_room(self) -> Deferred[RoomMade]:
        self.asked += 1
        self.over = False
        going = self.megabytes.pop(0) if self.megabytes else 0
        self.free[TASKS] += going
        if self.slow:
            return succeed(RoomMade.NOT_YET)
        return succeed(RoomMade.SOME if going else RoomMade.NONE)


class RoomTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.free = {TASKS: 1000, STATE: 1000, CACHES: 1000}
        self.looks: list[str] = []
        self.hold = ""
        self.memory: Memory | None = Memory(16000 * MEGABYTE, 8000 * MEGABYTE)
        self.patch(Disk, "of", self.disk)
        self.patch(rooms, "read_memory", lambda: self.memory)
        self.kept: FakeKept | None = None
        self.needs(500)
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)

    def needs(self, megabytes: int, **settings: Any) -> None:
        config = replace(FakeFacilities(self.clock, self.mktemp()).config, tasks_dir=TASKS, state_dir=STATE)
        config = replace(config, caches_dir=CACHES, downloads_dir=CACHES)
        config = replace(config, required_disk_space_megabytes=megabytes, **settings)
        self.room = Room(self.clock, config, NoThreads(), [lambda: "", lambda: self.hold], self.kept)

    def disk(self, path: str) -> Disk:
        self.looks.append(path)
        if path not in self.free:
            raise FileNotFoundError(2, "No such file or directory")
        return Disk(1, 10**12, self.free[path] * MEGABYTE)

    def hear(self, event: dict[str, Any]) -> None:
        self.said.append(formatEvent(event))

    def shortage(self) -> Shortage | None:
        return self.successResultOf(Deferred.fromCoroutine(self.room.shortage()))


class HowMuchIsNeeded(RoomTestCase):
    def test_what_is_configured_is_enough(self) -> None:
        self.free = {TASKS: 500, STATE: 500}
        self.assertIsNone(self.shortage())

    def test_both_folders_need_it(self) -> None:
        for path in (TASKS, STATE):
            self.free = {TASKS: 500, STATE: 500} | {path: 499}
            shortage = self.shortage()
            assert shortage is not None
            self.assertIn(f"the disk of {path} has 499 MiB free, 1 MiB less than the 500", shortage.text)

    def test_at_each_it_looks_once(self) -> None:
        self.shortage()
        self.assertEqual(self.looks, [TASKS, STATE, CACHES, CACHES])

    def test_a_disk_of_caches_alone_needs_it_too(self) -> None:
        self.free = {TASKS: 500, STATE: 500, CACHES: 499}
        shortage = self.shortage()
        assert shortage is not None
        self.assertIn(f"the disk of {CACHES} has 499 MiB free", shortage.text)

    def test_nothing_is_asked_of_the_tasks_folder_when_nothing_is_configured(self) -> None:
        self.needs(0)
        self.free = {STATE: 1000}
        self.assertIsNone(self.shortage())

    def test_a_run_s_state_and_log_need_some_even_then(self) -> None:
        self.needs(0)
        self.free = {STATE: 7}
        self.assertIsNotNone(self.shortage())

    def test_a_folder_that_is_gone_has_none(self) -> None:
        del self.free[TASKS]
        shortage = self.shortage()
        assert shortage is not None
        self.assertIn(f"the disk of {TASKS} (No such file or directory)", shortage.text)


class HowMuchMemoryIsNeeded(RoomTestCase):
    """So much that the guard of the machine's memory does not end a task soon after."""

    def lacks(self, total: int, available: int) -> bool:
        self.memory = Memory(total * MEGABYTE, available * MEGABYTE)
        return self.shortage() is not None

    def test_twice_of_what_ends_a_task(self) -> None:
        self.needs(0, min_available_memory_bytes=500 * MEGABYTE)
        self.assertFalse(self.lacks(16000, 1000))
        self.assertTrue(self.lacks(16000, 999))

    def test_on_a_small_machine_the_percents_count(self) -> None:
        self.needs(0, min_available_memory_bytes=500 * MEGABYTE, max_memory_usage_percent=90)
        self.assertFalse(self.lacks(1000, 200))
        self.assertTrue(self.lacks(1000, 199))

    def test_it_says_how_much_there_is(self) -> None:
        self.memory = Memory(16000 * MEGABYTE, 300 * MEGABYTE)
        shortage = self.shortage()
        assert shortage is not None
        for part in ("300 MiB of memory left", "minAvailableMemoryBytes"):
            self.assertIn(part, shortage.text)

    def test_nobody_knows(self) -> None:
        self.memory = None
        self.assertIsNone(self.shortage())

    def test_where_the_machine_is_not_watched_none(self) -> None:
        self.needs(0, enable_resource_monitor=False)
        self.assertFalse(self.lacks(16000, 1))

    def test_all_of_it_may_be_used(self) -> None:
        self.assertEqual(MemoryNeed(100, 500 * MEGABYTE).lack(Memory(16000 * MEGABYTE, 1)), "")


class WhatIsKept(RoomTestCase):
    """Caches make way for tasks."""

    def keeps(self, *megabytes: int) -> FakeKept:
        self.kept = kept = FakeKept(self.free, *megabytes)
        self.needs(500)
        return kept

    def test_where_there_is_room_it_stays(self) -> None:
        kept = self.keeps(100)
        self.assertIsNone(self.shortage())
        self.assertEqual(kept.asked, 0)

    def test_where_there_is_none_it_goes(self) -> None:
        self.keeps(100)
        self.free[TASKS] = 400
        self.assertIsNone(self.shortage())
        self.assertEqual(self.said, [])

    def test_when_too_little_of_it_is_left_that_is_said(self) -> None:
        kept = self.keeps(50)
        self.free[TASKS] = 400
        shortage = self.shortage()
        assert shortage is not None
        self.assertIn("has 450 MiB free, 50 MiB less than the 500", shortage.text)
        self.assertIn("no cache is left that could make way", shortage.text)
        self.assertEqual(kept.asked, 1)

    def test_what_is_being_thrown_away_still_is_no_end_of_it(self) -> None:
        kept = self.keeps()
        self.free[TASKS], kept.slow = 100, True
        self.shortage()
        self.clock.advance(900)
        shortage = self.shortage()
        assert shortage is not None
        self.assertIn("caches are being thrown away", shortage.text)
        self.assertNotIn("no cache is left", shortage.text)
        self.assertEqual(shortage.seconds, 0)
        kept.slow = False
        shortage = self.shortage()
        assert shortage is not None
        self.assertIn("no cache is left", shortage.text)

    def test_a_lack_of_memory_costs_none_of_it(self) -> None:
        kept = self.keeps(100)
        self.memory = Memory(16000 * MEGABYTE, MEGABYTE)
        self.assertIsNotNone(self.shortage())
        self.assertEqual(kept.asked, 0)

    def test_more_than_may_be_kept_goes_before_a_task_is_claimed(self) -> None:
        kept = self.keeps(100)
        kept.over = True
        self.assertIsNone(self.shortage())
        self.assertEqual(kept.asked, 1)

    def test_what_holds_the_worker_back_costs_none_of_it(self) -> None:
        kept = self.keeps(100)
        self.free[TASKS], self.hold = 0, "three errors in a row"
        self.assertIsNotNone(self.shortage())
        self.assertEqual(kept.asked, 0)


class HeldBack(RoomTestCase):
    def test_whatever_room_there_is(self) -> None:
        self.hold = "three errors in a row"
        self.assertEqual(self.shortage(), Shortage("three errors in a row", 0.0))
        self.hold = ""
        self.assertIsNone(self.shortage())

    def test_that_is_no_shortage_that_lasts(self) -> None:
        """After some time of which a worker goes."""
        self.hold = "three errors in a row"
        for _ in range(3):
            self.shortage()
            self.clock.advance(1000)
        self.hold, self.free[TASKS] = "", 1
        shortage = self.shortage()
        assert shortage is not None
        self.assertEqual(shortage.seconds, 0)

    def test_nobody_looks_at_the_disk_meanwhile(self) -> None:
        self.hold = "three errors in a row"
        self.patch(Disk, "of", lambda path: self.fail("it looked"))
        self.shortage()


class HowOftenItIsSaid(RoomTestCase):
    def look(self, free: int, seconds: float) -> None:
        self.clock.advance(seconds)
        self.free[TASKS] = free
        self.shortage()

    def test_once_and_rarely_again(self) -> None:
        for seconds in (0, 5, AGAIN - 6, 1, 5):
            self.look(100, seconds)
        self.assertEqual(len(self.said), 2)

    def test_when_it_is_over_and_when_it_comes_back(self) -> None:
        for free in (100, 1000, 1000, 100):
            self.look(free, 5)
        self.assertEqual(
            [text.partition(":")[0] for text in self.said],
            ["claiming nothing", "nothing keeps this worker from claiming any more", "claiming nothing"],
        )

    def test_it_says_for_how_long(self) -> None:
        self.look(100, 5)
        self.clock.advance(60)
        shortage = self.shortage()
        assert shortage is not None
        self.assertEqual(shortage.seconds, 60)
