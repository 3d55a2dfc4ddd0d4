"""What stands after a part of a pattern: by that it is known whether the part is ever tried in another way; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tcworker.line_pattern.tree import ANY, Byte, Chain, Node, Repeat


@dataclass(frozen=True)
class After:
    """What stands after a part of a pattern.

    @ivar first: the bytes with which it may begin.
    @ivar certain: it fits whatever comes, so that the part in front of it is never tried in another way.
    """

    first: int
    certain: bool

    @classmethod
    def nothing(cls) -> After:
        """The end of the pattern."""
        return cls(ANY, True)

    def behind(self, part: Node) -> After:
        """What stands after the part in front of a part."""
        # A repetition that may match nothing fits whatever comes; an edge, which is nullable as well, does not.
        certain = self.certain and isinstance(part, Repeat) and part.least == 0
        return After(part.first | self.first if part.nullable else part.first, certain)


def with_after(chain: Chain, after: After) -> Iterator[tuple[Node, After]]:
    """Each part, and what stands after it."""
    pairs = []
    for part in reversed(chain.parts):
        pairs.append((part, after))
        after = after.behind(part)
    return reversed(pairs)


def is_decided(repeat: Repeat, after: After) -> bool:
    """Whether the next byte alone says if there is one more, so that there is one way only."""
    return isinstance(repeat.body, Byte) and not repeat.body.members & after.first
