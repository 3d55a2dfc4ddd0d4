"""Where in some text secrets stand; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from tcworker.config_schema import SHORTEST_MASK
from tcworker.line_pattern import LinePattern

Span: TypeAlias = tuple[int, int]
"""Where something begins, and where it is over."""

WINDOW = 16 * 1024
"""Bytes of a line in which patterns are looked for at a time."""


class Literals:
    """Texts to look for.

    @ivar longest: bytes of the longest.
    """

    def __init__(self, literals: Iterable[bytes]) -> None:
        self._literals = [literal for literal in literals if literal]
        self.longest = max(map(len, self._literals), default=0)

    def __bool__(self) -> bool:
        return bool(self._literals)

    def spans(self, data: bytes) -> list[Span]:
        """Find all of them, also where they overlap; those of one text that overlap each other are one span."""
        return [span for literal in self._literals for span in self._spans_of(literal, data)]

    def _spans_of(self, literal: bytes, data: bytes) -> Iterator[Span]:
        begin = data.find(literal)
        # Asked only of what is there: it takes longer than to see that most texts are not.
        chained = begin >= 0 and _overlaps_itself(literal)
        while begin >= 0:
            end = _end_of_chain(literal, data, begin) if chained else begin + len(literal)
            yield begin, end
            begin = data.find(literal, end)

    def begun(self, data: bytes) -> int:
        """Find where at the end of some data one may have begun that is not there as a whole.

        @return: an index into the data; its length if there is none.
        """
        return min((_begun(literal, data) for literal in self._literals), default=len(data))

    def first_parts(self, data: bytes) -> list[Span]:
        """Find the beginnings of them at the end of some data that nothing follows."""
        size = len(data)
        begins = [begin for literal in self._literals if size - (begin := _begun(literal, data)) >= SHORTEST_MASK]
        return [(min(begins), size)] if begins else []

    def last_parts(self, data: bytes) -> list[Span]:
        """Find the ends of them at the beginning of some data of which nobody knows what was before."""
        return [(0, size) for literal in self._literals if (size := _ended(literal, data)) >= SHORTEST_MASK]


def _overlaps_itself(literal: bytes) -> bool:
    return any(literal.startswith(literal[size:]) for size in range(1, len(literal)))


def _end_of_chain(literal: bytes, data: bytes, begin: int) -> int:
    size = len(literal)
    # The last one that overlaps, at once: a text of one letter only is as long as the log.
    while (further := data.rfind(literal, begin + 1, begin + 2 * size - 1)) >= 0:
        begin = further
    return begin + size


def _begun(literal: bytes, data: bytes) -> int:
    at = data.find(literal[:1], max(0, len(data) - len(literal) + 1))
    while at >= 0 and not literal.startswith(data[at:]):
        at = data.find(literal[:1], at + 1)
    return at if at >= 0 else len(data)


def _ended(literal: bytes, data: bytes) -> int:
    return next((len(literal) - at for at in range(1, len(literal)) if data.startswith(literal[at:])), 0)


class LinePatterns:
    """Patterns to look for within lines, and in longer ones within each 16 KiB of them (L{WINDOW})."""

    def __init__(self, patterns: Sequence[LinePattern]) -> None:
        self._patterns = patterns

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def spans(self, data: bytes, begin: int, *, whole: bool) -> tuple[list[Span], int]:
        """Look at the lines from a place on.

        @param whole: whether the last line ends with the data; else it is left for later.
        @return: what was found, and where the lines begin that were not looked at.
        """
        found: list[Span] = []
        while (end := _end_of_window(data, begin, whole)) > begin:
            # A copy, for it is to know neither what is before nor what comes after.
            window = data[begin:end]
            in_lower_case = window.lower()
            for pattern in self._patterns:
                found.extend((begin + one.start(), begin + one.end()) for one in pattern.find(window, in_lower_case))
            begin = end
        return found, begin


def _end_of_window(data: bytes, begin: int, whole: bool) -> int:
    """Where lines end that are not too long together, or a part of one; C{begin} if that is not there yet."""
    most = begin + WINDOW
    if newline := data.rfind(b"\n", begin, most) + 1:
        return newline
    return min(most, len(data)) if whole or len(data) >= most else begin
