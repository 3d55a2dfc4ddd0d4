"""What a child is told before it unpacks something, and what it answers at its end."""

from __future__ import annotations

import json
from typing import NamedTuple, TypeAlias


class Owner(NamedTuple):
    """Whom a child runs as, and who owns all that it makes."""

    uid: int
    gid: int


class ExtractionLimits(NamedTuple):
    """What one extraction may take.

    @ivar megabytes: of the disk, for all that comes out; each entry counts as a block at least.
    @ivar ratio: how often what comes out may be as much as what went in; the first GB is free.
    @ivar seconds: how long the child may work on what it was given.
    @ivar memory: MB of the child's address space; most formats get less, see L{tcworker.extract.memory}.
    """

    megabytes: int = 102_400
    ratio: int = 1000
    seconds: float = 3600.0
    memory: int = 768


class Extracted(NamedTuple):
    """What came out: files, folders and links, and bytes of files."""

    entries: int
    bytes: int


class Trouble(NamedTuple):
    """Why nothing came of it.

    @ivar kind: one of L{ARCHIVE}, L{DISK} and L{RIGHTS}.
    @ivar text: for the task's author.
    """

    kind: str
    text: str


ARCHIVE = "archive"
"""It is not what it should be, or takes more than it may."""

DISK = "disk"
"""There is no room."""

RIGHTS = "rights"
"""The child could not give its rights up, and read nothing."""

Answer: TypeAlias = Extracted | Trouble

LOADED = "loaded"
"""The line that a child prints once it has its program, before it reads."""

LONGEST_TEXT = 2000
"""Characters of a L{Trouble}, shorter than what is read of a line that a child prints."""


class Order(NamedTuple):
    """What to do with what comes in at descriptor 0; descriptor 3 is the folder or file that it goes to.

    @ivar into_folder: whether it is an archive.
    @ivar owner: C{None} for who we are.
    @ivar again: whether the folder has in it what came of an attempt before.
    @ivar path: where Python finds its modules.
    """

    form: str
    into_folder: bool
    owner: Owner | None
    limits: ExtractionLimits
    again: bool
    path: tuple[str, ...]

    def to_text(self) -> str:
        """As an argument of the child."""
        return json.dumps(self)

    @classmethod
    def from_text(cls, text: str) -> Order:
        """Read what L{to_text} wrote."""
        form, into_folder, owner, limits, again, path = json.loads(text)
        return cls(form, into_folder, Owner(*owner) if owner else None, ExtractionLimits(*limits), again, tuple(path))


def write_answer(answer: Answer) -> str:
    """As a line of text."""
    if isinstance(answer, Trouble):
        answer = Trouble(answer.kind, answer.text[:LONGEST_TEXT])
    return json.dumps(answer)


def read_answer(line: str) -> Answer | None:
    """Read a line of a child, which a stranger's archive may have taken over; C{None} if it is no answer."""
    try:
        one, other = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    if type(one) is int and type(other) is int and one >= 0 and other >= 0:
        return Extracted(one, other)
    if one in (ARCHIVE, DISK, RIGHTS) and isinstance(other, str):
        return Trouble(one, other[:LONGEST_TEXT])
    return None
