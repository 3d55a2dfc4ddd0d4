"""Secrets in a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.masking import MASK, Masker, ends_within


def through(secrets: list[bytes], *pieces: bytes) -> bytes:
    masker = Masker(secrets)
    return b"".join([*map(masker.feed, pieces), masker.flush()])


class Masking(SynchronousTestCase):
    """What comes out."""

    def test_without_secrets_everything_passes_as_it_is(self) -> None:
        piece = b"some text"
        self.assertIs(Masker().feed(piece), piece)

    def test_a_secret_in_one_piece(self) -> None:
        self.assertEqual(
            through([b"hunter2"], b"the password is hunter2, hunter2!"), b"the password is [masked], [masked]!"
        )

    def test_a_secret_across_pieces_byte_by_byte(self) -> None:
        text = b"ab secret cd"
        self.assertEqual(through([b"secret"], *(text[i : i + 1] for i in range(len(text)))), b"ab [masked] cd")

    def test_nothing_is_held_back_of_a_line_that_cannot_begin_a_secret(self) -> None:
        self.assertEqual(Masker([b"secret"]).feed(b"a line\n"), b"a line\n")

    def test_no_more_than_the_beginning_of_a_secret_is_held_back(self) -> None:
        masker = Masker([b"secret"])
        self.assertEqual(masker.feed(b"my sec"), b"my ")
        self.assertEqual(masker.feed(b"ond"), b"second")

    def test_what_was_held_back_comes_at_the_end(self) -> None:
        self.assertEqual(through([b"secret"], b"my sec"), b"my sec")

    def test_of_two_that_begin_alike_the_longer_one_goes_whole(self) -> None:
        self.assertEqual(through([b"abc", b"abcdef"], b"x abcd", b"ef abc y"), b"x [masked] [masked] y")

    def test_a_shorter_one_within_what_only_looked_like_the_longer(self) -> None:
        self.assertEqual(through([b"abc", b"abcdef"], b"abcde", b"X"), MASK + b"deX")

    def test_a_secret_that_comes_later_counts_for_what_is_held_back(self) -> None:
        masker = Masker([b"secret"])
        masker.feed(b"a sec")
        masker.replace_secrets([b"secret", b"sec"])
        self.assertEqual(masker.feed(b"!") + masker.flush(), MASK + b"!")

    def test_an_empty_secret_masks_nothing(self) -> None:
        self.assertEqual(through([b""], b"text"), b"text")

    def test_secrets_are_no_patterns(self) -> None:
        self.assertEqual(through([b"a.c*"], b"abc a.c*"), b"abc [masked]")

    def test_the_beginning_of_a_secret_at_an_end(self) -> None:
        self.assertTrue(ends_within(b"a sec", b"secret"))
        self.assertFalse(ends_within(b"a secx", b"secret"))
        self.assertFalse(ends_within(b"a secret", b"secret"))
        self.assertFalse(ends_within(b"", b"secret"))

    @given(
        st.lists(st.binary(min_size=1, max_size=4).map(lambda s: bytes(97 + b % 2 for b in s)), min_size=1, max_size=3),
        st.lists(st.binary(max_size=6).map(lambda s: bytes(97 + b % 3 for b in s)), max_size=8),
    )
    def test_pieces_make_no_difference(self, secrets: list[bytes], pieces: list[bytes]) -> None:
        self.assertEqual(through(secrets, *pieces), through(secrets, b"".join(pieces)))

    @given(st.lists(st.sampled_from([b"0", b"1", b"01", b"001"]), max_size=20))
    def test_a_secret_never_comes_out(self, pieces: list[bytes]) -> None:
        self.assertNotIn(b"0101", through([b"0101"], *pieces))
