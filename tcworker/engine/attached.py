"""What a run shall find in its folder beside what it makes itself, and what of that cannot go together; for engines."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from tcworker.errors import MalformedPayload, NamingConflict
from tcworker.interfaces import ICacheFolder


class Kind(Enum):
    """What becomes of something that is attached."""

    CACHE = "a cache"
    TREE = "a folder"
    FILE = "a file"


@dataclass(frozen=True)
class Target:
    """Where it shall be.

    @ivar absolute: whether the way begins at the root, not in the run's folder.
    @ivar parts: names of the folders on the way, and its own at last; none for the run's folder itself.
    """

    absolute: bool
    parts: tuple[str, ...]

    @classmethod
    def of(cls, path: str) -> Target:
        """Read one from a payload. Raises L{MalformedPayload}."""
        if "\0" in path:
            raise MalformedPayload("found a character that no path can have")
        parts = tuple(part for part in posixpath.normpath(path).split("/") if part not in ("", "."))
        if ".." in parts:
            raise MalformedPayload(f"{path!r} leads out of the task's folder")
        return cls(path.startswith("/"), parts)

    def __str__(self) -> str:
        return ("/" if self.absolute else "") + "/".join(self.parts) or "."

    def within(self, other: Target) -> bool:
        """Whether it lies in another one's place, or has that itself."""
        return self.absolute == other.absolute and self.parts[: len(other.parts)] == other.parts


@dataclass(frozen=True)
class Attached:
    """One thing.

    @ivar label: what it is called in messages.
    @ivar folder: what shall be there, C{None} for a file.
    @ivar source: where it lies until then; empty for a folder of which only its platform knows.
    @ivar read_only: whether the run can change nothing there.
    @ivar too_large: of a cache, who is to be told that its disk has no room for it; C{None} for nobody.
    """

    kind: Kind
    target: Target
    label: str
    folder: ICacheFolder | None
    source: str
    read_only: bool = False
    too_large: Callable[[], None] | None = None

    @classmethod
    def cache(
        cls, folder: ICacheFolder, target: str, label: str, too_large: Callable[[], None] | None = None
    ) -> Attached:
        """A folder that the task has to itself. Raises L{MalformedPayload}, as the others."""
        return cls(Kind.CACHE, Target.of(target), label, folder, folder.path or "", too_large=too_large)

    @classmethod
    def tree(cls, folder: ICacheFolder, target: str, label: str, read_only: bool) -> Attached:
        """A folder that others read as well."""
        return cls(Kind.TREE, Target.of(target), label, folder, folder.path or "", read_only)

    @classmethod
    def file(cls, path: str, target: str, label: str) -> Attached:
        """A file of the worker's own."""
        return cls(Kind.FILE, Target.of(target), label, None, path)


class Attachments:
    """All that is attached to one run, in the order in which it was."""

    def __init__(self) -> None:
        self._all: list[Attached] = []

    def __iter__(self) -> Iterator[Attached]:
        return iter(self._all)

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, new: Attached) -> None:
        """Add one. Raises L{NamingConflict}."""
        if not new.target.parts and (new.kind is not Kind.TREE or new.read_only):
            raise NamingConflict(f"{new.kind.value}{_RIGHTS[new.read_only]} cannot be the task's folder itself")
        for old in self._all:
            if problem := _conflict(new, old):
                raise NamingConflict(problem)
        self._all.append(new)


_RIGHTS = {False: "", True: " that cannot be changed"}


def _conflict(new: Attached, old: Attached) -> str | None:
    inside, around = new.target.within(old.target), old.target.within(new.target)
    if not (inside or around):
        return None
    kinds, same = {new.kind, old.kind}, inside and around
    if same and Kind.FILE in kinds and len(kinds) > 1:
        return f"{new.target} is {old.kind.value} already, and cannot be {new.kind.value} as well"
    outer, inner = (old, new) if inside else (new, old)
    if not same and outer.kind is Kind.FILE:
        return f"{inner.target} cannot lie in {outer.target}, which is a file"
    if new.kind is Kind.CACHE and around:
        return f"{new.target} cannot be a cache, which would hide what is mounted on {old.target}"
    if _is_fixed(new, old, inside, around):
        return f"{new.target} and {old.target} cannot go together, since one of them cannot be changed"
    return None


def _is_fixed(new: Attached, old: Attached, inside: bool, around: bool) -> bool:
    """Whether one would have to be changed for the other, and cannot be."""
    if inside and around:
        return new.read_only != old.read_only
    return (inside and old.read_only) or (around and new.read_only)
