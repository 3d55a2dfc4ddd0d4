"""Forms that texts in payloads have, as patterns, and what each is called by those who write payloads; pure."""

from __future__ import annotations

from collections.abc import Mapping

TASK_ID = "^[A-Za-z0-9_-]{8}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]$"
"""A slugid of version 4."""

SHA256 = "^[a-f0-9]{64}$"

BASE64 = "^[A-Za-z0-9/+]+={0,2}$"
"""By its letters; whether it can be decoded is seen when it is."""

ARTIFACT_NAME = "^[\\x20-\\x7e]+$"

LONGEST_ARTIFACT_NAME = 1024
"""Characters of it."""

IN_WORDS: Mapping[str, str] = {
    TASK_ID: "a taskId, a slugid of 22 characters such as dSlITZ4yQgmvxxAi4A8fHQ",
    SHA256: "a SHA-256, 64 digits and letters a to f in lower case",
    BASE64: "base64: letters, digits, + and /, with up to two = at the end",
    ARTIFACT_NAME: "the name of an artifact, in printable ASCII",
}
"""What a pattern is in words."""


def is_artifact_name(name: str) -> bool:
    """Whether an artifact can have this name (contracts of the queue, 0.8)."""
    return name.isascii() and name.isprintable() and len(name) <= LONGEST_ARTIFACT_NAME
