"""One entry of C{payload.artifacts}: what it may look like, and what it says."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tcworker.task.claim import read_date
from tcworker.task.forms import LONGEST_ARTIFACT_NAME

_LONGEST_SHOWN = 400

ENTRY_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["file", "directory"], "description": "What is at the path."},
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "Where it is: relative to the task's folder, or absolute.",
        },
        "name": {
            "type": "string",
            "maxLength": LONGEST_ARTIFACT_NAME,
            "description": "Its name, of a directory what its files' names begin with. By default the path.",
        },
        "expires": {
            "type": "string",
            "format": "date-time",
            "description": "Until when it is kept, from the task's deadline to its expiry, the default.",
        },
        "contentType": {
            "type": "string",
            "maxLength": 255,
            "description": "The MIME type, of a directory that of all its files. By default by the path's extension.",
        },
        "contentEncoding": {
            "type": "string",
            "enum": ["identity", "gzip"],
            "description": "Whether it is compressed on its way. By default by the path's extension.",
        },
        "optional": {
            "type": "boolean",
            "default": False,
            "description": "Whether the task succeeds without it, too.",
        },
    },
    "required": ["type", "path"],
    "additionalProperties": False,
}
"""JSON schema of an entry."""


@dataclass(frozen=True)
class Wanted:
    """What an entry asks for.

    @ivar name: of the artifact; of a folder what the names of all its files begin with.
    """

    directory: bool
    path: str
    name: str
    expires: datetime
    content_type: str | None
    content_encoding: str | None
    optional: bool

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], expires: datetime) -> Wanted:
        """Read an entry that fits the schema; C{expires} is the task's."""
        return cls(
            directory=entry["type"] == "directory",
            path=entry["path"],
            # An empty one is as good as none.
            name=entry.get("name") or entry["path"],
            expires=read_date(entry["expires"]) if "expires" in entry else expires,
            content_type=entry.get("contentType") or None,
            content_encoding=entry.get("contentEncoding"),
            optional=entry.get("optional", False),
        )

    def named(self, path: str) -> str:
        """The artifact's name of a file in the folder, cleaned; of C{""} what all of them begin with."""
        return _clean(posixpath.join(self.name, path))

    def located(self, path: str = "") -> str:
        """Where it is, or where a file in the folder is, cleaned."""
        return _clean(posixpath.join(self.path, path))


def shown(path: str) -> str:
    """A path, or a text with one, for people: in one line, whatever bytes the path has, and not too long."""
    text = "".join(each if each.isprintable() else _escaped(each) for each in path)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _escaped(character: str) -> str:
    raw = character.encode(errors="surrogateescape" if "\udc80" <= character <= "\udcff" else "backslashreplace")
    return "".join(f"\\x{byte:02x}" if byte > 126 or byte < 32 else chr(byte) for byte in raw)


def _clean(path: str) -> str:
    # POSIX lets two slashes at the beginning mean something else; here they do not.
    return posixpath.normpath(path).replace("//", "/")
