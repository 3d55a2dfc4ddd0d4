"""Words of a command line."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError

from twisted.trial.unittest import SynchronousTestCase

from tcworker.arguments import pool
from tcworker.embedded.schemas import TASK_QUEUE


class Pools(SynchronousTestCase):
    def test_those_that_the_queue_takes_and_no_others(self) -> None:
        long, longer = "p" * 38, "p" * 39
        for text in (
            "local/tasks",
            "A_b-1/x",
            f"{long}/{long}",
            "a/b-c",
            "a",
            "a/B",
            "a/b-",
            "a/b/c",
            "a/",
            f"{longer}/a",
        ):
            if re.fullmatch(TASK_QUEUE, text):
                self.assertEqual(pool(text), text)
            else:
                self.assertRaises(ArgumentTypeError, pool, text)
