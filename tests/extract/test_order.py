"""What a child is told, and what it may answer."""

from __future__ import annotations

import json

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.order import (
    ARCHIVE,
    DISK,
    LONGEST_TEXT,
    Extracted,
    ExtractionLimits,
    Order,
    Owner,
    Trouble,
    read_answer,
    write_answer,
)
from tcworker.process import LONGEST_LINE
from tests.hypotheses import given


class Orders(SynchronousTestCase):
    def test_they_arrive_as_they_were_given(self) -> None:
        for owner in (None, Owner(1, 2)):
            order = Order("tar.zst", True, owner, ExtractionLimits(seconds=0.5), False, ("/usr/lib", "/ü"))
            self.assertEqual(Order.from_text(order.to_text()), order)


class Answers(SynchronousTestCase):
    def test_they_arrive_as_they_were_given(self) -> None:
        for answer in (Extracted(3, 2**50), Trouble(ARCHIVE, "ä: it is damaged"), Trouble(DISK, "")):
            self.assertEqual(read_answer(write_answer(answer)), answer)

    def test_a_long_one_is_cut_to_what_fits_into_a_line(self) -> None:
        line = write_answer(Trouble(ARCHIVE, "x" * 100_000))
        self.assertLess(len(line), LONGEST_LINE)
        self.assertEqual(read_answer(line), Trouble(ARCHIVE, "x" * LONGEST_TEXT))

    def test_what_a_stranger_says_is_none(self) -> None:
        for line in ("", "Traceback:", "[", "[1]", "[1, 2, 3]", "[-1, 2]", "[true, 1]", '["archive", 1]', '["x", "y"]'):
            self.assertIsNone(read_answer(line), line)
        self.assertIsNone(read_answer("[" * 8000))
        self.assertIsNone(read_answer('{"a": 1, "b": 2}'))
        self.assertEqual(read_answer(json.dumps([ARCHIVE, "x" * 8000])), Trouble(ARCHIVE, "x" * LONGEST_TEXT))

    @given(st.text())
    def test_anything_can_be_read(self, line: str) -> None:
        read_answer(line)
