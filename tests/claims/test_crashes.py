"""A task that takes the worker down twice in a row."""

from __future__ import annotations

import os
import stat

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.crashes import NOTE, Crashes, Pause


class Deaths(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, NOTE)

    def start(self, *left: str) -> Crashes:
        """A worker starts where another one left these tasks."""
        return Crashes.look_back(self.folder, left)

    def test_the_first_worker_suspects_nobody(self) -> None:
        self.assertEqual(self.start().suspects, [])

    def test_one_death_is_no_reason(self) -> None:
        self.start()
        self.assertEqual(self.start("a", "b").suspects, [])

    def test_two_in_a_row_with_the_same_task_are(self) -> None:
        self.start()
        self.start("a", "b")
        self.assertEqual(self.start("b", "c").suspects, ["b"])
        self.assertEqual(self.start("b").suspects, ["b"])

    def test_with_another_task_each_time_they_are_not(self) -> None:
        self.start()
        for task in "abab":
            self.assertEqual(self.start(task).suspects, [])

    def test_an_end_in_order_between_them_makes_them_none(self) -> None:
        self.start()
        self.start("a").ended_in_order()
        self.assertEqual(self.start("a").suspects, [])
        self.assertEqual(self.start("a").suspects, [])

    def test_what_was_given_up_in_order_is_no_death(self) -> None:
        for _ in range(3):
            crashes = self.start("a")
            self.assertEqual(crashes.suspects, [])
            crashes.ended_in_order()
            crashes.ended_in_order()

    def test_a_note_that_cannot_be_read_is_that_of_a_death(self) -> None:
        for text in ("", "[]", '{"tasks": {"a": "many"}}', '{"tasks": 3}', "\0"):
            with open(self.path, "w") as file:
                file.write(text)
            self.assertEqual(self.start("a").suspects, [], text)
            self.assertEqual(self.start("a").suspects, ["a"], text)

    def test_a_full_disk_does_not_keep_the_worker_from_its_start(self) -> None:
        self.start()
        self.patch(os, "replace", self.refuse)
        self.assertEqual(self.start("a").suspects, [])

    def refuse(self, old: str, new: str) -> None:
        raise OSError(28, "No space left on device", new)

    def test_nobody_else_may_read_it(self) -> None:
        self.start("a")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)


class Pausing(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.pause = Pause(self.clock, 300, "task a")

    def test_it_ends_by_itself(self) -> None:
        self.assertEqual(self.pause.why_held(), "task a, for 300 s more (crashPauseSecs)")
        self.clock.advance(299)
        self.assertEqual(self.pause.why_held(), "task a, for 1 s more (crashPauseSecs)")
        self.clock.advance(1)
        self.assertEqual(self.pause.why_held(), "")

    def test_a_clock_that_is_set_back_does_not_make_it_longer(self) -> None:
        self.clock.rightNow -= 500
        self.assertEqual(self.pause.why_held(), "")
