"""Secrets that must not leave the machine in a log; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = b"[masked]"


class Masker:
    """Replaces secrets in a stream that comes in pieces, also where one lies across two of them.

    Of what it is given it holds back what could be the beginning of a secret, and no more: a line without one is let
    through at once.
    """

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._held = b""
        self.replace_secrets(secrets)

    def replace_secrets(self, secrets: Iterable[bytes]) -> None:
        """Mask these from now on, in what is held back as well."""
        # The longest first, so that of two that begin alike the whole of the longer one goes.
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._any = re.compile(b"|".join(map(re.escape, self._secrets)))
        self._first = re.compile(b"|".join(re.escape(first) for first in sorted({s[:1] for s in self._secrets})))

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, and give what can go on."""
        if not self._secrets:
            return self.flush() + piece if self._held else piece
        # What is held back is always shorter than the longest secret, whatever comes.
        data = self._held + piece
        return self._mask(data, partial_from(data, self._secrets, self._first))

    def flush(self) -> bytes:
        """Give what was held back: nothing more comes."""
        return self._mask(self._held, len(self._held)) if self._secrets else self._take_held()

    def _mask(self, data: bytes, end: int) -> bytes:
        """Mask what begins before C{end}, and hold back the rest."""
        parts: list[bytes] = []
        at = 0
        for found in self._any.finditer(data):
            # From here on a longer secret may begin than the one that is there already.
            if found.start() >= end:
                break
            parts += data[at : found.start()], MASK
            at = found.end()
        parts.append(data[at:end])
        self._held = data[max(at, end) :]
        return b"".join(parts)

    def _take_held(self) -> bytes:
        held, self._held = self._held, b""
        return held


def partial_from(data: bytes, secrets: list[bytes], first: re.Pattern[bytes]) -> int:
    """Find where at the end of some data a secret may have begun that is not there as a whole.

    @param secrets: the longest first.
    @param first: matches the first byte of any secret.
    @return: an index into the data; its length if there is none.
    """
    start = max(0, len(data) - len(secrets[0]) + 1)
    for found in first.finditer(data, start):
        tail = data[found.start() :]
        if any(len(tail) < len(secret) and secret.startswith(tail) for secret in secrets):
            return found.start()
    return len(data)


def ends_within(data: bytes, secret: bytes) -> bool:
    """Whether some data ends with the beginning of a secret."""
    return partial_from(data, [secret], re.compile(re.escape(secret[:1]))) < len(data)
