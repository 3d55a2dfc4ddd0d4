"""Secrets in a stream."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

from twisted.trial.unittest import SynchronousTestCase

from tcworker.line_pattern import compile_pattern
from tcworker.task.masking import MASK, Masker
from tcworker.task.secret_spans import WINDOW
from tests.task.masked import masked_at_once

ROUNDS = 300


def through(secrets: Iterable[bytes], *pieces: bytes, patterns: Sequence[str] = ()) -> bytes:
    masker = Masker(secrets, [compile_pattern(pattern) for pattern in patterns])
    return b"".join([*map(masker.feed, pieces), masker.flush()])


class Literals(SynchronousTestCase):
    """What comes out where certain texts are masked."""

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

    def test_a_good_part_of_a_secret_at_the_end_is_masked(self) -> None:
        self.assertEqual(through([b"long secret"], b"a long s"), b"a [masked]")

    def test_of_two_that_begin_alike_the_longer_one_goes_whole(self) -> None:
        self.assertEqual(through([b"abc", b"abcdef"], b"x abcd", b"ef abc y"), b"x [masked] [masked] y")

    def test_a_shorter_one_within_what_only_looked_like_the_longer(self) -> None:
        self.assertEqual(through([b"abc", b"abcdef"], b"abcde", b"X"), MASK + b"deX")

    def test_secrets_that_overlap_go_whole(self) -> None:
        self.assertEqual(through([b"first half", b"half second"], b"a first half second b"), b"a [masked] b")

    def test_one_that_overlaps_itself_goes_whole(self) -> None:
        self.assertEqual(through([b"abcabc"], b"xabcabcabcabcab", b"cy"), b"x[masked]y")

    def test_any_number_of_one_letter_is_one_secret_in_bounded_memory(self) -> None:
        masker = Masker([b"x" * 8])
        given = [masker.feed(b"x" * 100_000) for _ in range(5)]
        self.assertEqual(b"".join([*given, masker.feed(b"y")]), MASK + b"y")
        self.assertLess(len(masker._held), 8)

    def test_two_beside_each_other_are_two(self) -> None:
        self.assertEqual(through([b"abcdef"], b"abcdefabcdef"), MASK * 2)

    def test_a_secret_of_several_lines(self) -> None:
        self.assertEqual(through([b"line 1\nline 2"], b"a line 1\n", b"line 2\n"), b"a [masked]\n")

    def test_bytes_that_are_no_text(self) -> None:
        self.assertEqual(
            through([b"\x00\xff\xfe\n\x00\x80"], b"\xff\x00\xff\xfe", b"\n\x00\x80\x00"), b"\xff[masked]\x00"
        )

    def test_a_character_that_comes_in_two_pieces(self) -> None:
        text = "der Schlüssel!".encode()
        self.assertEqual(through(["Schlüssel".encode()], text[:9], text[9:]), b"der [masked]!")

    def test_a_secret_that_comes_later_counts_for_what_is_held_back(self) -> None:
        masker = Masker([b"secret"])
        masker.feed(b"a sec")
        masker.replace_literals([b"secret", b"sec"])
        self.assertEqual(masker.feed(b"!") + masker.flush(), MASK + b"!")

    def test_an_empty_secret_masks_nothing(self) -> None:
        self.assertEqual(through([b""], b"text"), b"text")

    def test_secrets_are_no_patterns(self) -> None:
        self.assertEqual(through([b"a.c*"], b"abc a.c*"), b"abc [masked]")


class Patterns(SynchronousTestCase):
    """What comes out where patterns are masked within lines."""

    def test_a_match(self) -> None:
        self.assertEqual(through([], b"my to", b"ken=abc def\n", patterns=["token=[a-z]+"]), b"my [masked] def\n")

    def test_a_whole_line_is_let_through_at_once(self) -> None:
        masker = Masker([], [compile_pattern("secret")])
        self.assertEqual(masker.feed(b"a line\nanother"), b"a line\n")

    def test_it_ends_with_its_line(self) -> None:
        self.assertEqual(through([], b"key=a\nb\n", patterns=["key=[^ ]+"]), b"[masked]\nb\n")

    def test_the_beginning_and_the_end_of_a_line(self) -> None:
        self.assertEqual(through([], b"ab\nb a\nba", patterns=["^a", "a$"]), b"[masked]b\nb [masked]\nb[masked]")

    def test_with_a_literal_that_it_overlaps_it_goes_whole(self) -> None:
        self.assertEqual(through([b"in front of"], b"in front of key=1!", patterns=["of key=[0-9]"]), b"[masked]!")

    def test_of_a_long_line_each_window_is_a_line(self) -> None:
        text = b"." * (WINDOW - 3) + b"secret" + b"." * WINDOW + b"secret\n"
        masked = text[:-7] + MASK + b"\n"
        self.assertEqual(through([], text, patterns=["secret"]), masked)

    def test_a_line_without_end_is_not_held_back_whole(self) -> None:
        masker = Masker([], [compile_pattern("secret")])
        for _ in range(10):
            masker.feed(b"x" * 10_000)
        self.assertLess(len(masker._held), WINDOW)


class Gaps(SynchronousTestCase):
    """A log whose middle is lost: no large part of what was cut in two comes out."""

    def across(self, secrets: Iterable[bytes], before: bytes, after: bytes, *patterns: str) -> bytes:
        masker = Masker(secrets, [compile_pattern(pattern) for pattern in patterns])
        parts = [masker.feed(before), masker.flush_before_gap(), b"|"]
        masker.begin_after_gap()
        return b"".join([*parts, *(masker.feed(after[i : i + 3]) for i in range(0, len(after), 3)), masker.flush()])

    def test_both_parts_of_a_secret(self) -> None:
        self.assertEqual(self.across([b"0123456789"], b"a 0123456", b"456789 b"), b"a [masked]|[masked] b")

    def test_a_small_part_is_kept(self) -> None:
        self.assertEqual(self.across([b"0123456789"], b"a 01234", b"56789 b"), b"a 01234|56789 b")

    def test_a_whole_one_behind_it(self) -> None:
        self.assertEqual(self.across([b"0123456789"], b"", b"0123456789 b"), b"|[masked] b")

    def test_lines_in_which_a_pattern_may_have_been(self) -> None:
        self.assertEqual(self.across([], b"one\ntok", b"en=1 \ntwo", "token=1"), b"one\n[masked]|[masked]\ntwo")

    def test_whole_lines_beside_it(self) -> None:
        self.assertEqual(self.across([], b"one\n", b"\ntwo", "token=1"), b"one\n|\ntwo")


class AnyText(SynchronousTestCase):
    """Random texts in random pieces come out as if they were masked at once, by the simplest means."""

    PATTERNS = ("ab{1,3}a", "a+", "^b[ab]{1,2}", "b$", "(?:ab|ba){2,3}", r"\x00.{1,4}")
    ALPHABETS = (b"ab", b"abc\n", b"ab\n\x00\xff", b"a")

    def test_pieces_make_no_difference(self) -> None:
        chance = random.Random(20261124)
        for _ in range(ROUNDS):
            secrets, patterns, text = self.case(chance)
            out = through(secrets, *self.pieces(chance, text), patterns=patterns)
            self.assertEqual(out, masked_at_once(text, secrets, patterns), (secrets, patterns, text))

    def case(self, chance: random.Random) -> tuple[list[bytes], list[str], bytes]:
        alphabet = chance.choice(self.ALPHABETS)

        def some(size: int) -> bytes:
            return bytes(chance.choice(alphabet) for _ in range(size))

        secrets = [some(chance.randint(6, 12)) for _ in range(chance.randint(0, 3))]
        # One that begins like another, and one that overlaps it.
        secrets += [secrets[0] + some(3), secrets[0][2:] + some(4)] if secrets and chance.random() < 0.5 else []
        parts = [chance.choice([some(5), b"\n", *secrets]) for _ in range(chance.randint(0, 25))]
        text = some(3) * 9000 + b"".join(parts) if chance.random() < 0.05 else b"".join(parts)
        return secrets, chance.sample(self.PATTERNS, chance.randint(0, 3)), text

    def pieces(self, chance: random.Random, text: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(text):
            size = chance.choice([1, 2, 5, 20]) * (1 if len(text) < 2000 else 1000)
            yield text[at : at + size]
            at += size
