"""Patterns, and how much work they can be."""

from __future__ import annotations

import re

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.line_pattern import PatternFault, compile_pattern
from tcworker.line_pattern.after import After
from tcworker.line_pattern.cost import measure
from tcworker.line_pattern.parser import parse
from tests.hypotheses import given


def found(pattern: str, text: str | bytes) -> list[bytes]:
    data = text if isinstance(text, bytes) else text.encode()
    return [match[0] for match in compile_pattern(pattern).find(data, data.lower())]


class Matching(SynchronousTestCase):
    """What a pattern matches: what it does everywhere."""

    SAME = (
        ("AKIA[0-9A-Z]{16}", "x AKIAABCDEFGHIJ012345 AKIA0"),
        ("(?:token|password)=[^ ]+", "token=1 password=abc pass=1"),
        (r"https?://[^/\s:]{1,64}:[^/\s@]{1,99}@", "http://me:pw@x https://me@x https://a:b:c@"),
        ("a{2}b{1,2}c{,3}d?", "aab aabbcccd abcd"),
        ("a|bc|", "xbc"),
        ("key=.{0,5}?;", "key=ab;cd;"),
        (r"\bword\b", "word words a-word"),
        (r"\Bord", "word ord"),
        ("^a|b$", "ab\nba\naab"),
        (r"[]a-c\]^-]+", "]abc^-d"),
        (r"[^\W\d]{3}", "ab1abc_d"),
        (r"\x41\.\(\{", "A.({ B"),
        (r"[\t\r]x", "\tx\rx"),
        ("{}a{x}{ ,}", "{}a{x}{ ,}"),
        ("(?:[a-z]{1,4}-)+x?", "ab-cd-x abcde-"),
        ("(?:ab|a){1,3}c", "aabac abababc"),
        ("ä{2}|é", "ää ä é"),
        ("(?i)Key[a-c]", "kEYB keyD KEYc"),
        ("(?i)[^a]x", "Ax bX"),
    )

    def test_the_same_as_python_s_expressions(self) -> None:
        for pattern, text in self.SAME:
            expected = [m[0].encode() for m in re.finditer(pattern, text, re.MULTILINE | re.ASCII) if m[0]]
            try:
                self.assertEqual(found(pattern, text), expected, pattern)
            except PatternFault:
                self.assertTrue(re.match(pattern, ""), pattern)

    @given(st.text("ab|.?{}1,2()", max_size=8), st.text("ab", max_size=12))
    def test_any_that_is_taken_matches_the_same(self, pattern: str, text: str) -> None:
        try:
            compiled = compile_pattern(pattern)
        except PatternFault:
            return
        expected = [m.span() for m in re.finditer(pattern, text)]
        self.assertEqual([m.span() for m in compiled.find(text.encode(), text.encode())], expected)

    def test_never_across_a_newline(self) -> None:
        for pattern in ("a[^x]{1,9}b", r"a\s{1,2}b", "a.{1,2}b", r"a\W{1,2}b"):
            self.assertEqual(found(pattern, "a\nb a \nb"), [], pattern)
        self.assertEqual(found(r"a\s+", "a \nb"), [b"a "])

    def test_bytes_that_are_no_text(self) -> None:
        self.assertEqual(found(r"\x00.\xff", b"\x00\x80\xff"), [b"\x00\x80\xff"])


class Refusing(SynchronousTestCase):
    """What is no pattern, and what would be too much work."""

    def refused(self, pattern: str) -> str:
        return str(self.assertRaises(PatternFault, compile_pattern, pattern))

    def test_what_matches_the_empty_text(self) -> None:
        for pattern in ("", "a*", "(a?|b)", "^", "^$", r"\b", "x|"):
            self.assertIn("empty text", self.refused(pattern), pattern)

    def test_repetitions_without_a_bound_before_something(self) -> None:
        for pattern in ("a+b", "(a+)+b", "(a|a)*b", "a.*b", "(?:a+,)+", "a+$", r"a+\b", "(?:ab)+c", "a{2,}b"):
            self.assertIn("upper bound", self.refused(pattern), pattern)

    def test_repetitions_of_nothing(self) -> None:
        for pattern in ("a(?:b?)+", "a(?:b|){2,3}", "a(?:b{0,3}){0,9}c"):
            self.assertIn("empty text", self.refused(pattern), pattern)

    def test_too_many_ways(self) -> None:
        for pattern in (
            ".{0,50}.{0,50}x",
            "(?:a|ab|b){1,30}c",
            "(?:(?:a{1,9}){1,9}){1,9}b",
            "(?:a|a){500}b",
            "x{1000}y",
        ):
            self.refused(pattern)

    def test_what_needs_another_matcher(self) -> None:
        for pattern in (r"(a)\1", "(?=a)b", "(?<!a)b", "(?P<n>a)", "(?>a)", "(?s)a", "a(?i)b"):
            self.refused(pattern)

    def test_slips(self) -> None:
        for pattern in ("(a", "a)", "[a", "*a", "{2}a", "a**", "a{2}{3}", "a++", "a{3,2}", "a{1001}"):
            self.refused(pattern)
        for pattern in ("[b-a]", r"[\d-z]", "\\"):
            self.refused(pattern)
        for pattern in (
            r"a\n",
            "[\n]",
            "\n",
            r"\q",
            r"\xg0",
            "[ä]",
            "^*a",
            "a" * 2001,
            "(" * 30 + "a" + ")" * 30,
            "\ud800",
        ):
            self.refused(pattern)

    def test_it_never_shows_the_pattern(self) -> None:
        for pattern in ("hidden+x", "(hidden", "hidden?{1}", r"hidden\1"):
            self.assertNotIn("hidden", self.refused(pattern))


class Work(SynchronousTestCase):
    """How many steps a byte of the text can cost."""

    def steps(self, pattern: str) -> int:
        return measure(parse(pattern), After.nothing()).steps

    def test_what_follows_is_tried_once_where_the_next_byte_decides(self) -> None:
        self.assertLess(self.steps(r"://[^/:]{1,100}:[^/@]{1,100}@"), 300)

    def test_what_follows_is_tried_for_each_way_otherwise(self) -> None:
        self.assertGreater(self.steps(".{0,20}.{0,20}x"), 400)

    def test_the_end_of_a_match_costs_nothing(self) -> None:
        self.assertEqual(self.steps("ab+"), self.steps("ab{1,900}"))

    def test_words_that_begin_in_different_ways_are_one_way(self) -> None:
        self.assertLess(self.steps("(?:one|two)x{1,5}"), self.steps("(?:ten|two)x{1,5}y"))
        self.assertEqual(measure(parse("one|two"), After.nothing()).ways, 1)
        self.assertEqual(measure(parse("ten|two"), After.nothing()).ways, 2)

    def test_lines_that_are_made_to_keep_it_busy(self) -> None:
        # Each as near to the limit as it may be; with one way more for each repetition none of them would ever end.
        patterns = (
            "(?:a{1,5}){1,3}b",
            ".{0,200}?;",
            "(?:a|aa){1,5}b",
            "(?:ab?){1,7}c",
            "a{0,14}a{0,14}b",
            "x(?:a|b|ab)+",
        )
        lines = (b"a" * 16384, b"ab" * 8192, b"aab" * 5461, b"x" * 16384, b"xab" * 5461, b"." * 16383 + b";")
        for pattern in patterns:
            compiled = compile_pattern(pattern)
            for line in lines:
                sum(1 for _ in compiled.find(line, line))


class Needed(SynchronousTestCase):
    """The texts of which one is in each match."""

    def assert_needed(self, pattern: str, *texts: bytes) -> None:
        self.assertEqual(tuple(compile_pattern(pattern).needed), texts, pattern)

    def test_the_longest_run(self) -> None:
        self.assert_needed("ab[0-9]Token=x{1,3}", b"token=")
        self.assert_needed("(?i)AKIA[0-9A-Z]{16}", b"akia")

    def test_one_of_several(self) -> None:
        self.assert_needed("(?i)(?:password|token)=[^ ]+", b"password", b"token")
        self.assert_needed("(?:password|[a-z]{5})=[^ ]+")

    def test_what_may_be_missing_is_not_needed(self) -> None:
        self.assert_needed("(?:secret)?[0-9]{1,9}")
        self.assert_needed("(?:secret){1,2}[0-9]", b"secret")

    def test_what_is_in_every_line_is_not_worth_it(self) -> None:
        self.assert_needed("[0-9]e=[0-9]")

    def test_other_characters(self) -> None:
        self.assert_needed("Größe[0-9]", "größe".encode())
        self.assertEqual(found("Größe[0-9]", "Größe1 größe2"), ["Größe1".encode()])
        self.assertEqual(found("(?i)TOKEN[0-9]", "Token1 xTOKEN2"), [b"Token1", b"TOKEN2"])
