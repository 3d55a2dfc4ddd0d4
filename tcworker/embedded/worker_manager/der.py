"""Just so much of DER as it takes to open a message: what is nested in what."""

from __future__ import annotations

from collections.abc import Sequence

OCTETS = 0x04
SEQUENCE = 0x30

_LONG = 0x80
_LONG_TAG = 0x1F
_MOST = 4

Element = tuple[int, bytes]
"""A tag, and what is in the element."""


class NotDer(ValueError):
    """Bytes that are no DER, or of a kind that this does not read."""


def elements(data: bytes) -> Sequence[Element]:
    """Give the elements that stand one after the other. Raises L{NotDer}."""
    found: list[Element] = []
    at = 0
    while at < len(data):
        start, end = _bounds(data, at)
        found.append((data[at], data[start:end]))
        at = end
    return found


def inside(data: bytes, *tags: int) -> bytes:
    """Give what is in an element of the first tag, which is the only one, in one of the second, and so on."""
    for tag in tags:
        match elements(data):
            case [(found, content)] if found == tag:
                data = content
            case _:
                raise NotDer(f"there must be one element of tag {tag}")
    return data


def _bounds(data: bytes, at: int) -> tuple[int, int]:
    """Say where the content of the element at this place begins and ends."""
    if len(data) < at + 2 or data[at] & _LONG_TAG == _LONG_TAG:
        raise NotDer("an element is cut off, or of a tag of several bytes")
    length, start = data[at + 1], at + 2
    if length >= _LONG:
        size = length - _LONG
        if not 1 <= size <= _MOST:
            raise NotDer("an element's length is not given, or too large")
        length, start = int.from_bytes(data[start : start + size]), start + size
    if start + length > len(data):
        raise NotDer("an element is cut off")
    return start, start + length
