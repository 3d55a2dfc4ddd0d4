"""What masking comes to, by the simplest means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tcworker.task.masking import MASK
from tcworker.task.secret_spans import WINDOW


def masked_at_once(text: bytes, secrets: Sequence[bytes], patterns: Sequence[str]) -> bytes:
    """What is to come out: each byte that is in any secret is replaced, and where secrets overlap they are one."""
    spans = sorted([*whole_secrets(text, secrets), *cut_secrets(text, secrets), *matches(text, patterns)])
    parts, at = [], 0
    for begin, end in spans:
        parts += [text[at:begin], MASK] if begin >= at else []
        at = max(at, end)
    return b"".join(parts) + text[at:]


def whole_secrets(text: bytes, secrets: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    for secret in secrets:
        yield from ((at, at + len(secret)) for at in range(len(text)) if text.startswith(secret, at))


def cut_secrets(text: bytes, secrets: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    for secret in secrets:
        yield from ((len(text) - size, len(text)) for size in range(6, len(secret)) if text.endswith(secret[:size]))


def matches(text: bytes, patterns: Sequence[str]) -> Iterator[tuple[int, int]]:
    # Not as the worker compiles them: what is wrong with that would be wrong here too.
    compiled = [re.compile(pattern.encode()) for pattern in patterns]
    at = 0
    for line in text.split(b"\n"):
        for window in range(0, len(line), WINDOW):
            part = line[window : window + WINDOW]
            yield from ((at + window + m.start(), at + window + m.end()) for p in compiled for m in p.finditer(part))
        at += len(line) + 1
