"""gzip, as others read it."""

from __future__ import annotations

import gzip
import os

from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.compression import NamedGzip


class Named(SynchronousTestCase):
    """With the name of the file that it was."""

    def compressed(self, name: str, *pieces: bytes) -> bytes:
        compressor = NamedGzip(name)
        return b"".join([*(compressor.compress(piece) for piece in pieces), compressor.flush()])

    def test_what_went_in_comes_out(self) -> None:
        content = os.urandom(100_000)
        for pieces in ((content,), (content[:1], content[1:]), (b"",), ()):
            self.assertEqual(gzip.decompress(self.compressed("a.txt", *pieces)), b"".join(pieces))

    def test_the_name_is_in_the_header(self) -> None:
        self.assertEqual(self.compressed("a.txt")[:16], b"\x1f\x8b\x08\x08\0\0\0\0\0\xffa.txt\0")
        self.assertEqual(self.compressed("\xe9")[10:12], b"\xe9\0")

    def test_a_name_that_the_header_cannot_have(self) -> None:
        for name in ("中", "\udcff"):
            compressed = self.compressed(name, b"hello")
            self.assertEqual((compressed[3], gzip.decompress(compressed)), (0, b"hello"))
