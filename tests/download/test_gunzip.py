from __future__ import annotations

import gzip
import os
from typing import Any

from hypothesis import strategies as st
from isal import isal_zlib
from twisted.trial.unittest import SynchronousTestCase

from tcworker.download.gunzip import MOST, Gunzip
from tcworker.download.passing import Hopeless
from tests.hypotheses import given


def undo(gunzip: Gunzip, pieces: list[bytes]) -> bytes:
    whole = b""
    for piece in pieces:
        gunzip.give(piece)
        while taken := gunzip.take():
            whole += taken
    return whole


class GunzipTests(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=50), min_size=1, max_size=3), st.integers(1, 40))
    def test_any_members_in_any_pieces(self, members: list[bytes], size: int) -> None:
        stream = b"".join(gzip.compress(member) for member in members)
        gunzip = Gunzip()
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        self.assertEqual(undo(gunzip, pieces), b"".join(members))
        self.assertTrue(gunzip.complete)

    def test_little_that_becomes_much_comes_out_bit_by_bit(self) -> None:
        for size in (MOST - 1, MOST, MOST + 1, 20 * MOST):
            gunzip = Gunzip()
            gunzip.give(gzip.compress(bytes(size)))
            sizes = []
            while taken := gunzip.take():
                sizes.append(len(taken))
            self.assertLessEqual(max(sizes), MOST)
            self.assertEqual((sum(sizes), gunzip.complete), (size, True))

    def test_many_members_cost_each_as_much_as_a_few(self) -> None:
        few, many = (self.fed(gzip.compress(b"") * number) for number in (1000, 4000))
        self.assertLess(many, 5 * few)

    def fed(self, stream: bytes) -> int:
        """Give the bytes that decompressors are given, each of which copies what it does not need."""
        made, given = isal_zlib.decompressobj, []

        class Counting:
            def __init__(self, bits: int) -> None:
                self._real: Any = made(bits)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._real, name)

            def decompress(self, data: bytes, most: int) -> bytes:
                given.append(len(data))
                out: bytes = self._real.decompress(data, most)
                return out

        self.patch(isal_zlib, "decompressobj", Counting)
        gunzip = Gunzip()
        self.assertEqual(undo(gunzip, [stream]), b"")
        self.assertTrue(gunzip.complete)
        self.patch(isal_zlib, "decompressobj", made)
        return sum(given)

    def test_half_a_stream_is_not_complete(self) -> None:
        stream = gzip.compress(os.urandom(1000))
        for end in (1, 10, 500, len(stream) - 1):
            gunzip = Gunzip()
            undo(gunzip, [stream[:end]])
            self.assertFalse(gunzip.complete, end)

    def test_nothing_at_all_is_complete(self) -> None:
        self.assertTrue(Gunzip().complete)

    def test_what_is_none_is_refused(self) -> None:
        for stream in (b"hello, this is no gzip", gzip.compress(b"a") + b"garbage that follows"):
            self.assertRaises(Hopeless, undo, Gunzip(), [stream])
