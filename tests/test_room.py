"""Whether there is disk enough for another task, and how often that is said."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.room import AGAIN, Room, Shortage
from tcworker.testing.facilities import FakeFacilities, NoThreads

TASKS, STATE = "/disk/tasks", "/disk/state"


class RoomTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.free = {TASKS: 1000, STATE: 1000}
        self.patch(os, "statvfs", self.statvfs)
        self.needs(500)
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)

    def needs(self, megabytes: int) -> None:
        config = replace(FakeFacilities(self.clock, self.mktemp()).config, tasks_dir=TASKS, state_dir=STATE)
        self.room = Room(self.clock, replace(config, required_disk_space_megabytes=megabytes), NoThreads())

    def statvfs(self, path: str) -> Any:
        if path not in self.free:
            raise FileNotFoundError(2, "No such file or directory")
        # Some more is free, but for root alone.
        return SimpleNamespace(f_bavail=self.free[path] * 256, f_bfree=10**9, f_frsize=4096)

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
            ["claiming nothing", "there is disk enough again", "claiming nothing"],
        )

    def test_it_says_for_how_long(self) -> None:
        self.look(100, 5)
        self.clock.advance(60)
        shortage = self.shortage()
        assert shortage is not None
        self.assertEqual(shortage.seconds, 60)
