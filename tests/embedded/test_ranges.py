"""Which parts of a content are asked for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.ranges import MOST_RANGES, ranges_of


class Ranges(SynchronousTestCase):
    def test_parts_of_ten_bytes(self) -> None:
        for header, parts in (
            ("bytes=0-0", [(0, 0)]),
            ("bytes=2-4", [(2, 4)]),
            ("bytes=2-", [(2, 9)]),
            ("bytes=-3", [(7, 9)]),
            ("bytes=5-100", [(5, 9)]),
            ("bytes=-100", [(0, 9)]),
            ("Bytes= 0-1 , 3-4", [(0, 1), (3, 4)]),
            ("bytes=0-1,20-30", [(0, 1)]),
        ):
            self.assertEqual(ranges_of(header, 10), parts, header)

    def test_nothing_of_it_is_there(self) -> None:
        for header, size in (("bytes=10-", 10), ("bytes=10-20,30-", 10), ("bytes=-0", 10), ("bytes=0-", 0)):
            self.assertEqual(ranges_of(header, size), [], header)

    def test_what_makes_no_sense_is_ignored(self) -> None:
        for header in (
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=4-2",
            "bytes=a-b",
            "lines=1-2",
            "bytes=1-2,",
        ):
            self.assertIsNone(ranges_of(header, 10), header)
        self.assertIsNone(ranges_of("bytes=0-" + "9" * 5000, 10))

    def test_not_many_at_once(self) -> None:
        self.assertEqual(len(ranges_of("bytes=" + ",".join(["0-0"] * MOST_RANGES), 10) or []), MOST_RANGES)
        self.assertIsNone(ranges_of("bytes=" + ",".join(["0-0"] * (MOST_RANGES + 1)), 10))
