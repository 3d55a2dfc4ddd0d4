"""What is printed: plain or coloured, with prefixes, in order."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.local_run.output import RED, Lines, Output, PlainText
from tcworker.waiting import Threads
from tests.chances import chances


class EscapeSequences(SynchronousTestCase):
    def plain(self, *pieces: bytes) -> bytes:
        text = PlainText()
        return b"".join(text.feed(piece) for piece in (*pieces, b""))

    def test_colours_titles_and_links_are_taken_out(self) -> None:
        for sequence in (
            b"\x1b[1;31m",
            b"\x1b[0K",
            b"\x1b]0;title\x07",
            b"\x1b]8;;http://x\x1b\\",
            b"\x1b(B",
            b"\x1bM",
            b"\x1b[?25l",
        ):
            self.assertEqual(self.plain(b"a" + sequence + b"b"), b"ab", sequence)

    def test_wherever_the_pieces_are_cut(self) -> None:
        stream = b"one \x1b[1;32mtwo\x1b[0m \x1b]0;t\x07three \x1b]8;;u\x1b\\four\n"
        for cut in range(len(stream)):
            self.assertEqual(self.plain(stream[:cut], stream[cut:]), b"one two three four\n", cut)

    def test_however_many_pieces_there_are(self) -> None:
        parts = (
            b"a",
            b"\n",
            b"\xc3\xa9",
            b"\x1b[1;31m",
            b"\x1b]0;t\x07",
            b"\x1b]8;;u\x1b\\",
            b"\x1b(B",
            b"\x1bPq\x1b\\",
        )
        for seed, chance in enumerate(chances(50, 20_000)):
            chosen = chance.choices(parts, k=12)
            stream = b"".join(chosen)
            cuts = sorted(chance.choices(range(1, len(stream) + 1), k=chance.randrange(8)))
            pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)]) if start < end]
            expected = b"".join(part for part in chosen if part[:1] != b"\x1b")
            self.assertEqual(self.plain(*pieces), expected, f"seed {seed}")

    def test_text_is_not_held_back(self) -> None:
        self.assertEqual(PlainText().feed(b"50% done\r"), b"50% done\r")

    def test_an_escape_that_never_ends_loses_nothing(self) -> None:
        self.assertEqual(self.plain(b"a\x1b[", b"x" * 0), b"a\x1b[")
        self.assertIn(b"y" * 9000, self.plain(b"\x1b]0;" + b"y" * 9000, b"z"))


class LinesWithPrefix(SynchronousTestCase):
    def test_only_whole_lines_come_out(self) -> None:
        lines = Lines(b"a | ")
        self.assertEqual(lines.feed(b"one\ntw"), b"a | one\n")
        self.assertEqual(lines.feed(b"o\n\n"), b"a | two\na | \n")

    def test_the_last_line_needs_no_end(self) -> None:
        lines = Lines(b"> ")
        self.assertEqual(lines.feed(b"one\ntwo") + lines.feed(b""), b"> one\n> two\n")

    def test_an_empty_stream_is_no_line(self) -> None:
        self.assertEqual(Lines(b"> ").feed(b""), b"")


class Broken(io.BytesIO):
    def write(self, text: Any) -> int:
        raise BrokenPipeError


class TheOutput(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.stream = io.BytesIO()
        self.broken: list[str] = []

    def output(self, *, colours: bool = False, stream: io.BytesIO | None = None) -> Output:
        threads = Threads(reactor, 1, "test")  # type: ignore[arg-type]  # the module stands for the reactor
        self.addCleanup(threads.stop)
        return Output(
            stream or self.stream, colours=colours, threads=threads, broken=lambda: self.broken.append("broken")
        )

    async def test_order_is_kept(self) -> None:
        output = self.output()
        for number in range(50):
            output.say(str(number))
        await output.flush()
        self.assertEqual(self.stream.getvalue().split(), [b"%d" % number for number in range(50)])

    async def test_plain_in_a_pipe_coloured_on_a_terminal(self) -> None:
        for colours, expected in ((False, b"red\nline\n"), (True, b"\x1b[31mred\x1b[0m\n\x1b[31mline\x1b[0m\n")):
            self.stream = io.BytesIO()
            output = self.output(colours=colours)
            output.follower("a")(b"\x1b[31mred\x1b[0m\n")
            output.say("line", RED)
            await output.flush()
            self.assertEqual(self.stream.getvalue(), expected)

    async def test_our_own_line_begins_a_line(self) -> None:
        output = self.output()
        output.follower("a")(b"no end")
        output.say("done")
        await output.flush()
        self.assertEqual(self.stream.getvalue(), b"no end\ndone\n")

    async def test_logs_that_grow_side_by_side_are_told_apart(self) -> None:
        output = self.output()
        output.tell_apart(["a", "long"])
        one, two = output.follower("a"), output.follower("long")
        for piece in (b"1\n2", b"\n", b""):
            one(piece)
        two(b"3")
        two(b"")
        await output.flush()
        self.assertEqual(self.stream.getvalue(), b"a    | 1\na    | 2\nlong | 3\n")

    async def test_when_nobody_reads_it_says_so_once_and_is_silent(self) -> None:
        output = self.output(stream=Broken())
        output.say("a")
        await output.flush()
        output.say("b")
        await output.flush()
        self.assertEqual(self.broken, ["broken"])
