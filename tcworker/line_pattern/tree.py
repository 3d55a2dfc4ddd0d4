"""What a pattern consists of; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

ANY = (1 << 256) - 1
"""A set of bytes is a number, with bit C{n} for byte C{n}; this is the set of all."""


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
