"""Files that are published by descriptor."""

from __future__ import annotations

import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import ArchiveError
from tcworker.filebody import PIECE, DescriptorFile


class Consumer:
    """What an upload writes to; it may pause its producer at each piece."""

    def __init__(self, producer, pauses: bool = False) -> None:
        self.data, self.pieces = b"", 0
        self._producer, self._pauses = producer, pauses

    def write(self, data: bytes) -> None:
        self.data += data
        self.pieces += 1
        if self._pauses:
            self._producer.pauseProducing()


class DescriptorFileTests(SynchronousTestCase):
    """One file of a little more than two pieces."""

    def setUp(self):
        self.content = os.urandom(2 * PIECE + 10)
        self.on_disk = self.enterContext(tempfile.NamedTemporaryFile(buffering=0))
        self.on_disk.write(self.content)
        self.file = DescriptorFile("a/b", os.open(self.on_disk.name, os.O_RDONLY))
        self.addCleanup(self.file.close)

    def test_all_of_it_in_pieces(self):
        body = self.file.open()
        consumer = Consumer(body)
        self.successResultOf(body.startProducing(consumer))
        self.assertEqual((self.file.path, self.file.size, body.length), ("a/b", len(self.content), len(self.content)))
        self.assertEqual((consumer.data, consumer.pieces), (self.content, 3))

    def test_no_faster_than_it_is_taken(self):
        body = self.file.open()
        consumer = Consumer(body, pauses=True)
        done = body.startProducing(consumer)
        for pieces in (1, 2, 3):
            self.assertEqual(consumer.pieces, pieces)
            self.assertNoResult(done)
            body.resumeProducing()
        self.successResultOf(done)
        self.assertEqual(consumer.data, self.content)

    def test_bodies_do_not_disturb_each_other(self):
        one, two = self.file.open(), self.file.open()
        first, second = Consumer(one, pauses=True), Consumer(two)
        done = one.startProducing(first)
        self.successResultOf(two.startProducing(second))
        one.resumeProducing()
        one.resumeProducing()
        one.resumeProducing()
        self.successResultOf(done)
        self.assertEqual((first.data, second.data), (self.content, self.content))

    def test_a_file_that_grows_gives_what_was_promised(self):
        body = self.file.open()
        self.on_disk.write(b"more")
        consumer = Consumer(body)
        self.successResultOf(body.startProducing(consumer))
        self.assertEqual(consumer.data, self.content)
        self.assertEqual(self.file.open().length, len(self.content))

    def test_a_file_that_shrinks_fails(self):
        body = self.file.open()
        os.truncate(self.on_disk.name, 5)
        error = self.failureResultOf(body.startProducing(Consumer(body)), ArchiveError)
        self.assertIn("a/b became shorter", str(error.value))

    def test_one_that_shrank_before_is_not_begun(self):
        os.truncate(self.on_disk.name, 5)
        error = self.assertRaises(ArchiveError, self.file.open)
        self.assertIn(f"5 of {len(self.content)} bytes", str(error))

    def test_an_empty_file(self):
        body = DescriptorFile("empty", os.open(os.devnull, os.O_RDONLY)).open()
        self.assertEqual(body.length, 0)
        self.successResultOf(body.startProducing(Consumer(body)))

    def test_closing_lets_a_body_go_on_and_no_other_begin(self):
        body = self.file.open()
        self.file.close()
        self.file.close()
        consumer = Consumer(body)
        self.successResultOf(body.startProducing(consumer))
        self.assertEqual(consumer.data, self.content)
        self.assertRaises(ArchiveError, self.file.open)

    def test_stopping_gives_no_more(self):
        body = self.file.open()
        consumer = Consumer(body, pauses=True)
        done = body.startProducing(consumer)
        body.stopProducing()
        body.resumeProducing()
        self.assertEqual(consumer.pieces, 1)
        self.assertNoResult(done)
