"""Numbers for tasks' users, in rotation."""

from __future__ import annotations

import json
import os
import threading

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native import uids
from tcworker.engine.native.uids import TaskUids
from tcworker.errors import ResourceUnavailable

FEW = 100


def always(uid: int) -> bool:
    return True


class TaskUidsTests(SynchronousTestCase):
    """From 1 to 2000, in a folder of the test's own."""

    def setUp(self):
        self.folder = self.mktemp()

    def uids(self, first: int = 1, last: int = 2000) -> TaskUids:
        return TaskUids(self.folder, first, last)

    def let_few_rest(self) -> None:
        """Count to less than a thousand: each number is a file that is written."""
        self.assertEqual(uids.OUT_OF_USE, 1000)
        self.patch(uids, "OUT_OF_USE", FEW)

    def test_one_after_the_other_also_after_a_restart(self):
        self.assertEqual([self.uids().take(always) for _ in range(3)], [1, 2, 3])

    def test_from_the_beginning_after_the_last(self):
        uids = self.uids(5, 7)
        self.assertEqual([uids.take(always) for _ in range(5)], [5, 6, 7, 5, 6])

    def test_one_that_was_freed_rests_while_a_thousand_others_are_used(self):
        self.let_few_rest()
        uids = self.uids(1, FEW + 5)
        late = uids.take(always)
        # A long task, whose number comes round again soon after its end.
        for _ in range(FEW + 4):
            uids.give_back(uids.take(always))
        uids.give_back(late)
        taken = []
        for _ in range(FEW):
            taken.append(uids.take(always))
            uids.give_back(taken[-1])
        self.assertNotIn(late, taken)
        self.assertIn(late, [uids.take(always) for _ in range(FEW)])

    def test_one_that_is_in_use_is_passed_over(self):
        self.assertEqual(self.uids().take(lambda uid: uid > 3), 4)

    def test_no_number_is_free(self):
        error = self.assertRaises(ResourceUnavailable, self.uids(5, 7).take, lambda uid: False)
        self.assertIn("from 5 to 7 (taskUidRange)", str(error))

    def test_each_range_has_its_turn(self):
        """Two workers of a machine, or an operator who moves it."""
        self.uids(1, 9).take(always)
        self.assertEqual(self.uids(100, 109).take(always), 100)
        self.assertEqual(self.uids(1, 9).take(always), 2)
        self.assertEqual(self.uids(100, 109).take(always), 101)

    def test_a_damaged_file_stops_nobody(self):
        for text in ("", "{", "[]", '{"last": 7, "freed": []}', '{"last": {"1-2000": "x"}, "freed": 3}'):
            self.uids().take(always)
            with open(os.path.join(self.folder, "task-uids.json"), "w") as file:
                file.write(text)
            self.assertEqual(self.uids().take(always), 1, text)

    def test_the_file_stays_small(self):
        self.let_few_rest()
        uids = self.uids(1, 3000)
        for _ in range(FEW + 100):
            uids.give_back(uids.take(always))
        with open(os.path.join(self.folder, "task-uids.json")) as file:
            self.assertEqual(len(json.load(file)["freed"]), FEW)

    def test_side_by_side_no_two_get_the_same(self):
        taken: list[int] = []
        threads = [
            threading.Thread(target=lambda: taken.extend(self.uids().take(always) for _ in range(25))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(taken), list(range(1, 101)))
