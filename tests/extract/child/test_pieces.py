"""What comes out of a decompressor, read in parts."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.child.pieces import Ahead, Pieces, Truncated
from tests.hypotheses import given


class InParts(SynchronousTestCase):
    @given(st.lists(st.binary(min_size=1, max_size=9)), st.lists(st.integers(0, 20)))
    def test_it_is_the_same_however_it_comes_and_goes(self, pieces: list[bytes], sizes: list[int]) -> None:
        reader, whole, got = Pieces(pieces), b"".join(pieces), b""
        for number, size in enumerate(sizes):
            if len(got) + size > len(whole):
                break
            got += reader.take(size) if number % 2 else b"".join(reader.parts(size))
        self.assertEqual(got + b"".join(reader.rest()), whole)

    def test_tiny_pieces_are_put_together_once(self) -> None:
        class Piece(bytes):
            def __radd__(self, before: bytes) -> bytes:
                raise AssertionError("all that came before was copied again")

        self.assertEqual(Pieces([Piece(b"ab")] * 500).take(999), b"ab" * 499 + b"a")

    def test_at_the_end_nothing_is_taken(self) -> None:
        reader = Pieces([b"abc"])
        self.assertEqual([reader.take(3), reader.take(3), reader.take(3)], [b"abc", b"", b""])

    def test_less_than_asked_for_is_too_little(self) -> None:
        self.assertRaises(Truncated, Pieces([b"ab", b"c"]).take, 4)
        self.assertRaises(Truncated, list, Pieces([b"ab", b"c"]).parts(4))
        self.assertRaises(Truncated, list, Pieces([]).parts(1))


class InAThread(SynchronousTestCase):
    def test_all_comes_in_order(self) -> None:
        ahead = Ahead(b"%d" % number for number in range(1000))
        ahead.begin()
        self.assertEqual(list(ahead), [b"%d" % number for number in range(1000)])

    def test_nothing_is_read_before_it_begins(self) -> None:
        read = Event()

        def pieces() -> Iterator[bytes]:
            read.set()
            yield b"x"

        ahead = Ahead(pieces())
        self.assertFalse(read.wait(0.05))
        ahead.begin()
        self.assertEqual(list(ahead), [b"x"])

    def test_only_some_are_read_ahead(self) -> None:
        many = Event()

        def pieces() -> Iterator[bytes]:
            for number in range(1000):
                if number == 100:
                    many.set()
                yield b"x"

        ahead = Ahead(pieces())
        ahead.begin()
        reader = iter(ahead)
        next(reader)
        self.assertFalse(many.wait(0.05))
        self.assertEqual(len(list(reader)), 999)

    def test_what_goes_wrong_there_is_told_after_what_was_read(self) -> None:
        def pieces() -> Iterator[bytes]:
            yield b"x"
            raise Truncated

        ahead = Ahead(pieces())
        ahead.begin()
        reader = iter(ahead)
        self.assertEqual(next(reader), b"x")
        self.assertRaises(Truncated, next, reader)
