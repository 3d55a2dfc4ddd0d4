"""A pattern as Python's matcher takes it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tcworker.line_pattern.after import After, is_decided, with_after
from tcworker.line_pattern.tree import ANY, Byte, Chain, Choice, Edge, Node, Repeat


def as_expression(node: Node, after: After | None = None) -> bytes:
    """Write it as a regular expression of Python's, for bytes."""
    after = after or After.nothing()
    if isinstance(node, Edge):
        return node.sign
    if isinstance(node, Byte):
        return _byte_class(node.members)
    if isinstance(node, Chain):
        return b"".join(as_expression(part, behind) for part, behind in with_after(node, after))
    if isinstance(node, Choice):
        return b"(?:%s)" % b"|".join(as_expression(option, after) for option in node.options)
    body = as_expression(node.body, After(ANY, False))
    most = b"" if node.most is None else b"%d" % node.most
    return b"(?:%s){%d,%s}%s" % (body, node.least, most, _manner(node, after))


def _manner(repeat: Repeat, after: After) -> bytes:
    # Where there is one way only, the matcher is told so, and does not look for another.
    if not after.certain and is_decided(repeat, after):
        return b"+"
    return b"?" if repeat.lazy else b""


def _byte_class(members: int) -> bytes:
    known = [byte for byte in range(256) if members >> byte & 1]
    if len(known) == 1:
        return re.escape(bytes(known))
    return b"[%s]" % b"".join(b"\\x%02x-\\x%02x" % (low, high) for low, high in _ranges(known))


def _ranges(known: Sequence[int]) -> Iterator[tuple[int, int]]:
    low = known[0]
    for byte, following in zip(known, [*known[1:], 256 + 1], strict=True):
        if following != byte + 1:
            yield low, byte
            low = following
