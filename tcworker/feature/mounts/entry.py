"""One entry of C{payload.mounts}, as it stands there (contracts of generic-worker, 1)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar

from tcworker.errors import TaskError

E = TypeVar("E", bound=TaskError)


@dataclass(frozen=True)
class Entry:
    """What an entry asks for.

    @ivar index: its place in the list, from 0.
    @ivar path: of the file or folder, as it is written: relative to the task's folder, or absolute.
    @ivar is_file: whether that is a file.
    @ivar cache_name: of a writable cache, C{None} for the other two kinds.
    @ivar content: where its content comes from; C{None} for a cache that begins empty.
    @ivar format: how the content is packed; C{None} for a file that is taken as it comes.
    """

    index: int
    path: str
    is_file: bool
    cache_name: str | None
    content: Mapping[str, Any] | None
    format: str | None

    @classmethod
    def from_json(cls, index: int, mount: Mapping[str, Any]) -> Entry:
        """Read an entry that fits the schema."""
        is_file = "file" in mount
        return cls(
            index=index,
            path=mount["file" if is_file else "directory"],
            is_file=is_file,
            cache_name=mount.get("cacheName"),
            content=mount.get("content"),
            format=mount.get("format"),
        )

    @property
    def name(self) -> str:
        """What lines of the log about it begin with."""
        return f"mounts[{self.index}]"

    @property
    def place(self) -> str:
        """Where it stands in the task's definition."""
        return f"payload.{self.name}"

    def locate(self, error: E) -> E:
        """Give an error that says the same, and of which entry."""
        located = copy(error)
        located.messages = located.args = tuple(f"{self.place}: {message}" for message in error.messages)
        return located

    def holds(self, path: str) -> bool:
        """Whether a path of the payload leads into this one, or to it, as far as the paths themselves tell."""
        mine = _clean(self.path).rstrip("/")
        return not path.startswith("/") if mine == "." else f"{_clean(path)}/".startswith(f"{mine}/")


def _clean(path: str) -> str:
    # POSIX lets two slashes at the beginning mean something else; here they do not.
    return posixpath.normpath(path).replace("//", "/")
