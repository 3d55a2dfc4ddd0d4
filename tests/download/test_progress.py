from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.download.progress import EVERY, Progress, in_bytes, in_time


class Download:
    taken = 0
    total: int | None = 100_000_000


class ProgressTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.download = Download()
        self.progress = Progress(self.clock, "clang", self.said.append)
        self.progress.start(self.download)
        self.addCleanup(self.progress.stop)

    def go(self, taken: int) -> str:
        self.download.taken = taken
        self.clock.advance(EVERY)
        return self.said[-1]

    def test_every_five_seconds_it_says_how_much_how_fast_and_how_long_still(self) -> None:
        self.assertEqual(self.said, ["downloading clang"])
        self.assertEqual(self.go(10_000_000), "clang: 10.0 MB of 100 MB (10 %), 2.0 MB/s, 45 s left")
        self.assertEqual(self.go(60_000_000), "clang: 60.0 MB of 100 MB (60 %), 10.0 MB/s, 4 s left")

    def test_what_nobody_knows_is_not_said(self) -> None:
        self.download.total = None
        self.assertEqual(self.go(10_000_000), "clang: 10.0 MB, 2.0 MB/s")

    def test_standing_still_it_has_no_end(self) -> None:
        self.go(10_000_000)
        self.assertEqual(self.go(10_000_000), "clang: 10.0 MB of 100 MB (10 %), 0 B/s")

    def test_begun_anew_it_is_not_slower_than_nothing(self) -> None:
        self.go(10_000_000)
        self.assertIn("0 B/s", self.go(0))

    def test_at_the_end_it_says_the_sum(self) -> None:
        self.clock.advance(2)
        self.progress.done(10_000_000, "abc")
        self.assertEqual(self.said[-1], "downloaded clang: 10.0 MB in 2.0 s (5.0 MB/s), sha256 abc")

    def test_stopped_it_says_no_more(self) -> None:
        self.progress.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WordsTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        told = {
            0: "0 B",
            999: "999 B",
            1000: "1.0 kB",
            12_345: "12.3 kB",
            999_999: "1.0 MB",
            5e9: "5.0 GB",
            2e15: "2000.0 TB",
        }
        self.assertEqual({count: in_bytes(count) for count in told}, told)

    def test_times(self) -> None:
        self.assertEqual([in_time(seconds) for seconds in (1, 119, 120, 7200)], ["1 s", "119 s", "2 min", "2 h"])
