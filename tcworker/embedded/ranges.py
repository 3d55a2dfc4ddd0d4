"""Which parts of a content somebody asks for by C{Range} (RFC 9110, 14)."""

from __future__ import annotations

import re

MOST_RANGES = 16

_RANGES = re.compile(r"bytes=\s*(\d{0,18}-\d{0,18}(?:\s*,\s*\d{0,18}-\d{0,18})*)\s*", re.ASCII | re.IGNORECASE)


def ranges_of(header: str, size: int) -> list[tuple[int, int]] | None:
    """Give first and last byte of each part that there is, or C{None} if the header is to be ignored.

    It is when it makes no sense, or asks for more than L{MOST_RANGES} parts. An empty list is for parts beyond the end
    only.

    @param size: of the whole content.
    """
    found = _RANGES.fullmatch(header)
    asked = [part.strip().split("-") for part in found[1].split(",")] if found else []
    if not 0 < len(asked) <= MOST_RANGES or any(not _makes_sense(*part) for part in asked):
        return None
    parts = (_within(first, last, size) for first, last in asked)
    return [(first, last) for first, last in parts if first <= last]


def _makes_sense(first: str, last: str) -> bool:
    return bool(last) if not first else not last or int(first) <= int(last)


def _within(first: str, last: str, size: int) -> tuple[int, int]:
    """Give a part of the content; of one that is not there, the last byte is before the first."""
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last or size), size - 1)
