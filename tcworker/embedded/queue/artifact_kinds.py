"""The kinds of artifacts: what each is made of, and which may take another's place (contracts of the queue, 1.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tcworker.embedded.faults import conflict
from tcworker.embedded.queue.artifact_store import Artifact
from tcworker.embedded.schemas import COUNT, DATE, PRINTABLE_NAME, SLUGID, Schema, closed
from tcworker.interfaces import JSON

REASONS = (
    "file-missing-on-worker",
    "invalid-resource-on-worker",
    "too-large-file-on-worker",
    "file-not-readable-on-worker",
)

_CONTENT_TYPE: Schema = {"type": "string", "maxLength": 255}


def _kind(name: str, properties: Mapping[str, Schema], *required: str) -> Schema:
    common: Mapping[str, Any] = {"storageType": {"const": name}, "expires": DATE}
    return closed({**common, **properties}, required=["storageType", "expires", *required])


KINDS: Mapping[str, Schema] = {
    "s3": _kind(
        "s3",
        {"contentType": _CONTENT_TYPE, "contentLength": COUNT},
        "contentType",
    ),
    "object": _kind(
        "object",
        {"contentType": _CONTENT_TYPE, "contentLength": COUNT},
        "contentType",
    ),
    "reference": _kind(
        "reference",
        {"url": {"type": "string", "format": "uri"}, "contentType": _CONTENT_TYPE},
        "url",
        "contentType",
    ),
    "link": _kind(
        "link",
        {
            "artifact": {"type": "string", "pattern": PRINTABLE_NAME, "maxLength": 1024},
            "contentType": {**_CONTENT_TYPE, "default": "application/binary"},
        },
        "artifact",
    ),
    "error": _kind(
        "error",
        {"reason": {"enum": list(REASONS)}, "message": {"type": "string", "maxLength": 4096}},
        "reason",
        "message",
    ),
}

FINISH_ARTIFACT = closed({"uploadId": {"type": "string", "pattern": SLUGID}}, required=["uploadId"])


def details_of(body: JSON) -> JSON:
    """Give what only an artifact's own kind has."""
    return {key: body[key] for key in ("url", "artifact", "reason", "message") if key in body}


def replacement(old: Artifact, new: Artifact) -> Artifact:
    """Give what an artifact becomes that is created once more. Raises L{ApiError} if it must stay as it is."""
    if new.storage_type != "link" and new.content_type != old.content_type:
        raise conflict(f"Artifact {old.name} exists with contentType {old.content_type}.")
    if new.expires < old.expires:
        raise conflict(f"Artifact {old.name} exists and expires later than that.")
    may_change = (old.storage_type, new.storage_type) in (("reference", "reference"), ("reference", "link"))
    if not may_change and (old.storage_type, old.details) != (new.storage_type, new.details):
        raise conflict(f"Artifact {old.name} exists and is another one.")
    # Type and length of the content stay what was said first.
    return replace(old, storage_type=new.storage_type, expires=new.expires, details=new.details)
