"""Where the output of a task goes."""

from __future__ import annotations

import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher import linux
from tcworker.launcher.sink import Sink, Tail, copy, head_size, read_tail, ring_size, tail_of


class TailTests(SynchronousTestCase):
    """Where the end of a log stands in a ring."""

    def test_nothing(self):
        self.assertEqual(tail_of(0, 10), Tail(0, []))

    def test_ring_that_is_not_full(self):
        self.assertEqual(tail_of(4, 10), Tail(0, [(8, 4)]))

    def test_ring_that_is_just_full(self):
        self.assertEqual(tail_of(10, 10), Tail(0, [(8, 10)]))
        self.assertEqual(tail_of(20, 10), Tail(10, [(8, 10)]))

    def test_ring_that_went_round(self):
        self.assertEqual(tail_of(13, 10), Tail(3, [(11, 7), (8, 3)]))

    def test_both_halves_make_the_limit(self):
        for limit in range(1, 20):
            self.assertEqual(head_size(limit) + ring_size(limit), limit)


class SinkTests(SynchronousTestCase):
    """Writing, by splice and through memory."""

    def setUp(self):
        self.raw, self.ring = self.unnamed(), self.unnamed()

    def unnamed(self) -> int:
        return self.enterContext(tempfile.TemporaryFile(buffering=0)).fileno()

    def take(self, sink: Sink, data: bytes) -> None:
        """Print some data into a pipe, and take all of it."""
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        while sink.take(reading):
            pass
        os.close(reading)

    def content(self, limit: int) -> tuple[bytes, int, bytes]:
        tail = read_tail(self.ring, limit)
        return os.pread(self.raw, 1 << 20, 0), tail.dropped, b"".join(tail.read(self.ring))

    def test_without_a_limit_all_is_in_the_raw_file(self):
        sink = Sink(self.raw, self.ring, 0, linux.move)
        self.take(sink, b"printed\n")
        sink.write(b"said\n")
        self.take(sink, b"more\n")
        self.assertEqual(self.content(0), (b"printed\nsaid\nmore\n", 0, b""))

    def test_over_the_limit_the_end_is_kept(self):
        text = bytes(range(256)) * 3
        for move in (copy, linux.move):
            for size in (1, 7, 64, len(text)):
                os.truncate(self.raw, 0)
                os.truncate(self.ring, 0)
                os.lseek(self.raw, 0, os.SEEK_SET)
                sink = Sink(self.raw, self.ring, 100, move)
                for at in range(0, len(text), size):
                    self.take(sink, text[at : at + size])
                self.assertEqual(self.content(100), (text[:50], len(text) - 100, text[-50:]))

    def test_writing_goes_round_as_well(self):
        sink = Sink(self.raw, self.ring, 10)
        sink.write(b"0123456789abcdefghij")
        self.assertEqual(self.content(10), (b"01234", 10, b"fghij"))

    def test_a_sink_goes_on_where_another_ended(self):
        Sink(self.raw, self.ring, 10).write(b"0123456")
        Sink(self.raw, self.ring, 10).write(b"789abc")
        self.assertEqual(self.content(10), (b"01234", 3, b"89abc"))

    def test_lines_begin_at_the_start_of_a_line(self):
        for limit in (0, 10):
            os.truncate(self.raw, 0)
            os.lseek(self.raw, 0, os.SEEK_SET)
            sink = Sink(self.raw, self.ring, limit)
            sink.write_line(b"a\n")
            sink.write(b"bcdefghijk")
            sink.write_line(b"l\n")
            sink.write_line(b"m\n")
            head, _, tail = self.content(limit)
            self.assertTrue((head + tail).endswith(b"\nl\nm\n"))

    def test_an_empty_pipe_says_so(self):
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        with self.assertRaises(BlockingIOError):
            Sink(self.raw, self.ring, 0, linux.move).take(reading)
        os.close(reading)
        os.close(writing)

    def test_a_full_disk_is_told(self):
        full = os.open("/dev/full", os.O_RDWR)
        self.addCleanup(os.close, full)
        with self.assertRaises(OSError):
            self.take(Sink(full, self.ring, 0, copy), b"x")
