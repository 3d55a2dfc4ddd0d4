"""What C{tcworker run} prints: the tasks' logs as they grow, and a few lines of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import BinaryIO

from twisted.internet.defer import Deferred

from tcworker.waiting import OneShot, Threads

_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-OQ-WYZ\\`-~])"
)
"""A whole escape sequence of a terminal (ECMA-48)."""

_BEGUN = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[PX^_][^\x1b]*\x1b?|[ -/]*)?\Z")
"""One whose end is still to come."""

_LONGEST = 4096
"""Bytes that a sequence may have; what is longer is none."""

RED, GREEN, YELLOW, DIM = "31", "32", "33", "2"

_OF_TASKS = ("36", "35", "34", "33", "32")


def coloured(text: str, colour: str) -> str:
    """Text in a colour of the terminal's."""
    return f"\x1b[{colour}m{text}\x1b[0m"


class PlainText:
    """Takes the escape sequences out of a stream that comes in pieces."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Give what can be shown of the stream so far; the end of the stream is C{b""}."""
        text = _ESCAPE.sub(b"", self._held + piece)
        # Only the end is searched: a log of megabytes without a line's end must not be searched again and again.
        begun = _BEGUN.search(text, max(0, len(text) - _LONGEST)) if piece else None
        cut = begun.start() if begun else len(text)
        self._held = text[cut:]
        return text[:cut]


class Lines:
    """Makes whole lines of a stream that comes in pieces, each with a prefix."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Give the lines that are whole now; the end of the stream is C{b""}."""
        *lines, self._held = (self._held + piece).split(b"\n")
        if not piece and self._held:
            lines.append(self._held)
            self._held = b""
        return b"".join(b"%s%s\n" % (self._prefix, line) for line in lines)


class Output:
    """Writes to a terminal, a file or a pipe, in order, without ever keeping the reactor.

    @param stream: where to.
    @param colours: whether it is a terminal that shows them.
    @param threads: with one thread.
    @param broken: called once when nobody reads any more.
    """

    def __init__(self, stream: BinaryIO, *, colours: bool, threads: Threads, broken: Callable[[], None]) -> None:
        self._stream = stream
        self._colours = colours
        self._prefixes: dict[str, bytes] = {}
        self._threads = threads
        self._broken = broken
        self._waiting: list[bytes] = []
        self._writing = False
        self._idle: OneShot[None] = OneShot()
        self._idle.succeed(None)
        self._at_line_start = True

    def tell_apart(self, names: Sequence[str]) -> None:
        """From now on put the name before each line of a log: several grow side by side."""
        width = max(map(len, names))
        for name, colour in zip(names, cycle(_OF_TASKS), strict=False):
            text = f"{name:{width}} | "
            self._prefixes[name] = (coloured(text, colour) if self._colours else text).encode()

    def say(self, text: str, colour: str | None = None) -> None:
        """Print a line of our own, on a line of its own."""
        line = coloured(text, colour) if colour and self._colours else text
        # A log that is shown may stop in the middle of a line.
        self._write((b"" if self._at_line_start else b"\n") + line.encode(errors="replace") + b"\n")

    def follower(self, name: str) -> Callable[[bytes], None]:
        """Give what prints the log of one run, whose end is C{b""}."""
        plain = None if self._colours else PlainText()
        lines = Lines(self._prefixes[name]) if name in self._prefixes else None

        def print_piece(piece: bytes) -> None:
            text = plain.feed(piece) if plain else piece
            if lines is not None and (text or not piece):
                text = lines.feed(text) + (b"" if piece else lines.feed(b""))
            self._write(text)

        return print_piece

    def flush(self) -> Deferred[None]:
        """Fire when all has been written."""
        return self._idle.wait()

    def _write(self, text: bytes) -> None:
        if not text:
            return
        self._at_line_start = text.endswith(b"\n")
        self._waiting.append(text)
        if not self._writing:
            self._writing = True
            self._idle = OneShot()
            self._write_on()

    def _write_on(self, _: object = None) -> None:
        if not self._waiting:
            self._writing = False
            self._idle.succeed(None)
            return
        # All that has come while the last piece was written goes out as one.
        text, self._waiting = b"".join(self._waiting), []
        # A terminal may be stopped (Ctrl-S) and a pipe full, for as long as somebody likes.
        self._threads.run(self._put, text).addErrback(self._lost).addCallback(self._write_on)

    def _put(self, text: bytes) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _lost(self, failure: object) -> None:
        """Nobody reads any more: be silent from now on."""
        self._waiting.clear()
        self._write = lambda text: None  # type: ignore[method-assign]  # for good
        self._broken()
