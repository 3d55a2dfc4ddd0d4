"""What a pattern consists of, how much work it can be, and the same for Python's matcher; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

ANY = (1 << 256) - 1
"""A set of bytes is a number, with bit C{n} for byte C{n}; this is the set of all."""

_A_LOT = 1_000_000


class TooMuchWork(Exception):
    """There is no bound, or none worth counting; the message says what would help."""


@dataclass(frozen=True)
class Byte:
    """One byte of a set."""

    members: int
    nullable = False

    @property
    def first(self) -> int:
        """The bytes with which a match may begin."""
        return self.members


@dataclass(frozen=True)
class Edge:
    """A place between two bytes, as the regular expression C{sign}."""

    sign: bytes
    nullable = True
    first = ANY


@dataclass(frozen=True)
class Chain:
    """One after the other."""

    parts: Sequence[Node]

    @property
    def nullable(self) -> bool:
        """Whether it matches the empty text."""
        return all(part.nullable for part in self.parts)

    @property
    def first(self) -> int:
        """See L{Byte.first}."""
        found = 0
        for part in self.parts:
            found |= part.first
            if not part.nullable:
                break
        return found


@dataclass(frozen=True)
class Choice:
    """One of several; the first that fits wins."""

    options: Sequence[Node]

    @property
    def nullable(self) -> bool:
        """See L{Chain.nullable}."""
        return any(option.nullable for option in self.options)

    @property
    def first(self) -> int:
        """See L{Byte.first}."""
        return reduce(int.__or__, (option.first for option in self.options))


@dataclass(frozen=True)
class Repeat:
    """The same several times, C{most} being C{None} for any number."""

    body: Node
    least: int
    most: int | None
    lazy: bool = False

    @property
    def nullable(self) -> bool:
        """See L{Chain.nullable}."""
        return self.least == 0 or self.body.nullable

    @property
    def first(self) -> int:
        """See L{Byte.first}."""
        return self.body.first


Node: TypeAlias = Byte | Edge | Chain | Choice | Repeat


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
        certain = self.certain and isinstance(part, Repeat) and part.least == 0
        return After(part.first | self.first if part.nullable else part.first, certain)


@dataclass(frozen=True)
class Work:
    """What a part can cost from one place of the text.

    @ivar ways: in how many ways it may match there, each of which has all that follows tried again.
    @ivar steps: of the matcher, for all of these ways. What a match consumes at its end is not counted, since nobody
        looks at that again.
    """

    ways: int
    steps: int

    def __post_init__(self) -> None:
        if max(self.ways, self.steps) > _A_LOT:
            raise TooMuchWork("one in which fewer repetitions are combined: there are too many ways to match it")


def measure(node: Node, after: After) -> Work:
    """Count the work. Raises L{TooMuchWork}."""
    if isinstance(node, Chain):
        return _measure_chain(node, after)
    if isinstance(node, Choice):
        return _measure_choice(node, after)
    if isinstance(node, Repeat):
        return _measure_repeat(node, after)
    return Work(1, 1)


def _measure_chain(chain: Chain, after: After) -> Work:
    ways, steps = 1, 0
    for part, behind in _with_after(chain, after):
        work = measure(part, behind)
        ways, steps = ways * work.ways, steps + ways * work.steps
    return Work(ways, steps)


def _with_after(chain: Chain, after: After) -> Iterator[tuple[Node, After]]:
    """Each part, and what stands after it."""
    pairs = []
    for part in reversed(chain.parts):
        pairs.append((part, after))
        after = after.behind(part)
    return reversed(pairs)


def _measure_choice(choice: Choice, after: After) -> Work:
    works = [measure(option, after) for option in choice.options]
    ways = [work.ways for work in works]
    # Where the first byte decides, no second option is ever tried to the end.
    return Work(max(ways) if _exclusive(choice) else sum(ways), len(works) + sum(work.steps for work in works))


def _exclusive(choice: Choice) -> bool:
    seen = 0
    for option in choice.options:
        if option.nullable or option.first & seen:
            return False
        seen |= option.first
    return True


def _measure_repeat(repeat: Repeat, after: After) -> Work:
    if repeat.body.nullable:
        raise TooMuchWork("no repetition of what matches the empty text")
    if after.certain:
        # As often as it goes, and never in another way: but what must be there may fail.
        return Work(1, _rounds(repeat, after, repeat.least + 1).steps)
    if repeat.most is None:
        raise TooMuchWork("*, + and {n,} at its end only; elsewhere a repetition needs an upper bound, as in {0,100}")
    return Work(1, repeat.most + 1) if is_decided(repeat, after) else _rounds(repeat, after, repeat.most)


def _rounds(repeat: Repeat, after: After, most: int) -> Work:
    """Count the work of up to so many rounds."""
    once = measure(repeat.body, After(repeat.body.first | after.first, False))
    ways, steps, reached = 0 if repeat.least else 1, 1, 1
    for count in range(1, most + 1):
        steps += reached * once.steps
        reached *= once.ways
        ways += reached if count >= repeat.least else 0
        # Raises as soon as it is too much.
        Work(reached, steps)
    return Work(max(ways, 1), steps)


def is_decided(repeat: Repeat, after: After) -> bool:
    """Whether the next byte alone says if there is one more, so that there is one way only."""
    return isinstance(repeat.body, Byte) and not repeat.body.members & after.first


def compiled(node: Node, after: After | None = None) -> bytes:
    """Write it as a regular expression of Python's, for bytes."""
    after = after or After.nothing()
    if isinstance(node, Edge):
        return node.sign
    if isinstance(node, Byte):
        return _byte_class(node.members)
    if isinstance(node, Chain):
        return b"".join(compiled(part, behind) for part, behind in _with_after(node, after))
    if isinstance(node, Choice):
        return b"(?:%s)" % b"|".join(compiled(option, after) for option in node.options)
    body = compiled(node.body, After(ANY, False))
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
