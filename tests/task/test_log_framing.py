"""The worker's own lines in a task's log."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.log_framing import LONGEST_LINE, cut, error, info, warn

NOON = datetime(2030, 1, 31, 12, 0, 0, 250000, UTC)
STAMP = b"2030-01-31T12:00:00.250Z"


class Lines(SynchronousTestCase):
    def test_each_kind(self) -> None:
        self.assertEqual(info(NOON, "hello"), b"[taskcluster " + STAMP + b"] hello\n")
        self.assertEqual(warn(NOON, "hello"), b"[taskcluster:warn " + STAMP + b"] hello\n")
        self.assertEqual(error("hello"), b"[taskcluster:error] hello\n")

    def test_each_line_of_several_has_the_prefix(self) -> None:
        self.assertEqual(
            error("one\n\ntwo\n"), b"[taskcluster:error] one\n[taskcluster:error] \n[taskcluster:error] two\n"
        )

    def test_nothing_in_a_line_begins_another(self) -> None:
        for end in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
            text = error(f"file a{end}[taskcluster:error] forged").decode()
            self.assertEqual(len(text.splitlines()), 1, repr(end))

    def test_what_a_terminal_would_obey(self) -> None:
        self.assertEqual(error("a\x1b[2J\x00\u202eb\tc"), b"[taskcluster:error] a\\x1b[2J\\x00\\u202eb\tc\n")

    def test_text_stays_as_it_is(self) -> None:
        self.assertEqual(error("Größe \\n 🙂").decode(), "[taskcluster:error] Größe \\n 🙂\n")

    def test_what_is_no_text(self) -> None:
        self.assertEqual(error("file \udcff"), b"[taskcluster:error] file \\udcff\n")

    def test_a_long_line_is_cut(self) -> None:
        text = error("x" * (LONGEST_LINE + 5) + "\nshort").decode()
        self.assertIn("xx… (5 more characters)\n[taskcluster:error] short\n", text)
        self.assertEqual(text.count("x"), LONGEST_LINE)

    def test_where_the_middle_is_missing(self) -> None:
        self.assertEqual(
            cut(NOON, 7, 100),
            b"\n[taskcluster:warn " + STAMP + b"] 7 bytes of the log are missing here: "
            b"it is longer than the 100 bytes that it may have\n",
        )
