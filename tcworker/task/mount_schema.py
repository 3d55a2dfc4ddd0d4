"""What a payload says of its mounts: files, folders and caches, and where their contents come from.

Contracts of generic-worker, 1. Which form of a mount or of a content is meant, the first key tells that it requires.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tcworker.task.forms import BASE64, LONGEST_ARTIFACT_NAME, SHA256, TASK_ID

_LONGEST = 65536

_FILE_FORMATS = ["br", "bz2", "gz", "lz", "lz4", "mz", "sz", "xz", "zst", "zz"]

_FOLDER_FORMATS = ["7z", "rar", "tar", *(f"tar.{form}" for form in _FILE_FORMATS), "zip"]

_CONTENT: Mapping[str, Any] = {"$ref": "#/$defs/content", "type": "object", "description": "Where it comes from."}

_FOLDER_FORMAT: Mapping[str, Any] = {
    "type": "string",
    "enum": _FOLDER_FORMATS,
    "description": "The kind of archive that the content is.",
}

_FOLDER: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "The folder's path, relative to the task's folder or absolute.",
}

_SHA256: Mapping[str, Any] = {
    "type": "string",
    "pattern": SHA256,
    "description": "SHA-256 that the content must have, in hexadecimal.",
}

_ARTIFACT: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_ARTIFACT_NAME,
    "description": "The artifact's name.",
}


def _form(title: str, required: list[str], properties: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
    closed = {"required": required, "additionalProperties": False, **more}
    return {"title": title, "type": "object", "properties": properties, **closed}


_MOUNT = {
    "title": "Mount",
    "oneOf": [
        _form(
            "Writable cache",
            ["cacheName", "directory"],
            {
                "cacheName": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The cache's name. The task needs the scope generic-worker:cache:<cacheName>.",
                },
                "directory": _FOLDER,
                "content": {**_CONTENT, "description": "What a new cache has in it."},
                "format": _FOLDER_FORMAT,
            },
            dependentRequired={"content": ["format"], "format": ["content"]},
        ),
        _form(
            "Folder",
            ["directory", "content", "format"],
            {"directory": _FOLDER, "content": _CONTENT, "format": _FOLDER_FORMAT},
        ),
        _form(
            "File",
            ["file", "content"],
            {
                "file": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The file's path, relative to the task's folder or absolute.",
                },
                "content": _CONTENT,
                "format": {
                    "type": "string",
                    "enum": _FILE_FORMATS,
                    "description": "How the content is compressed; left out if it is not.",
                },
            },
        ),
    ],
}

_CONTENTS = {
    "title": "Content",
    "oneOf": [
        _form(
            "Artifact",
            ["taskId", "artifact"],
            {
                "taskId": {
                    "type": "string",
                    "pattern": TASK_ID,
                    "description": "The task that made the artifact, which must be one of the task's dependencies.",
                },
                "artifact": _ARTIFACT,
                "sha256": _SHA256,
            },
        ),
        _form(
            "Artifact of an indexed task",
            ["namespace", "artifact"],
            {
                "namespace": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 255,
                    "description": "The task's place in the index.",
                },
                "artifact": _ARTIFACT,
            },
        ),
        _form(
            "Address",
            ["url"],
            {
                "url": {"type": "string", "format": "uri", "description": "Where it is fetched from."},
                "sha256": _SHA256,
            },
        ),
        _form(
            "Text",
            ["raw"],
            {"raw": {"type": "string", "maxLength": _LONGEST, "description": "The content itself, as text."}},
        ),
        _form(
            "Bytes",
            ["base64"],
            {
                "base64": {
                    "type": "string",
                    "maxLength": _LONGEST,
                    "pattern": BASE64,
                    "description": "The content itself, in base64; the limit is that of the encoded text.",
                }
            },
        ),
    ],
}

MOST_MOUNTS = 200
"""Each is fetched beside all others, and compared with them: more than anybody needs would hold up other tasks."""

MOUNTS_SCHEMA: Mapping[str, Any] = {
    "properties": {
        "mounts": {
            "type": "array",
            "items": {"$ref": "#/$defs/mount"},
            "maxItems": MOST_MOUNTS,
            "default": [],
            "description": "Files, folders and caches that are put in place before the first command runs.",
        }
    },
    "required": [],
    "$defs": {"mount": _MOUNT, "content": _CONTENTS},
}
"""The slice of the payload, as L{tcworker.task.payload.PayloadSchema} takes it."""
