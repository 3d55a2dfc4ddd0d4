from __future__ import annotations

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.printable import printable
from tests.hypotheses import given


class PrintableTests(SynchronousTestCase):
    def test_what_can_be_read_stays(self) -> None:
        self.assertEqual(printable("Grüße, 日本語 \\ '\""), "Grüße, 日本語 \\ '\"")

    def test_what_would_colour_or_turn_or_begin_a_line_is_written_as_what_it_is(self) -> None:
        self.assertEqual(printable("\x1b[31m\n\u202e\ud800\x7f"), r"\x1b[31m\n\u202e\ud800\x7f")

    @given(st.text(st.characters(codec=None)))
    def test_all_of_it_can_be_printed(self, text: str) -> None:
        self.assertTrue(printable(text).isprintable())
