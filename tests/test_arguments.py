"""Words of a command line."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError

from twisted.trial.unittest import SynchronousTestCase

from tcworker.arguments import pool, seconds
from tcworker.embedded.schemas import TASK_QUEUE


class Seconds(SynchronousTestCase):
    def test_with_a_fraction_or_without(self) -> None:
        for text in ("0", "30", "2.5", "86400"):
            self.assertEqual(seconds(text), float(text))

    def test_what_no_clock_counts(self) -> None:
        for text in ("", "-1", "x", "nan", "inf", "1e3", "5s", "99999999", "1.", "٣"):
            self.assertRaises(ArgumentTypeError, seconds, text)


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
