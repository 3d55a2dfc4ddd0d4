"""Which texts a pattern needs: where none of them is, nobody has to look for it; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from tcworker.line_pattern.tree import Byte, Chain, Choice, Node, Repeat

_SHORTEST = 3
"""Bytes of a text that is rare enough to look for."""


def needed(node: Node) -> Sequence[bytes]:
    """Give texts in lower case of which one is in each match, once that is in lower case too; none if nobody knows."""
    texts = _needed(node)
    return texts if texts and min(map(len, texts)) >= _SHORTEST else ()


def _needed(node: Node) -> Sequence[bytes]:
    if isinstance(node, Byte):
        return [text] if (text := _in_lower_case(node)) else []
    if isinstance(node, Chain):
        return max(_candidates(node), key=lambda texts: min(map(len, texts), default=0), default=[])
    if isinstance(node, Choice):
        each = [_needed(option) for option in node.options]
        return [text for texts in each for text in texts] if all(each) else []
    return _needed(node.body) if isinstance(node, Repeat) and node.least else []


def _candidates(chain: Chain) -> Iterator[Sequence[bytes]]:
    """What each part of a chain needs, and what the bytes beside each other are together."""
    for is_text, parts in groupby(_flat(chain), lambda part: bool(isinstance(part, Byte) and _in_lower_case(part))):
        if is_text:
            yield [b"".join(_in_lower_case(part) for part in parts if isinstance(part, Byte))]
        else:
            yield from map(_needed, parts)


def _flat(chain: Chain) -> Iterator[Node]:
    for part in chain.parts:
        if isinstance(part, Chain):
            yield from _flat(part)
        else:
            yield part


def _in_lower_case(node: Byte) -> bytes:
    """The byte in lower case, if it is always the same one."""
    if node.members.bit_count() > 2:
        return b""
    found = {bytes([byte]).lower() for byte in range(256) if node.members >> byte & 1}
    return found.pop() if len(found) == 1 else b""
