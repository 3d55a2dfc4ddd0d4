"""Secrets that must not leave the machine in a log, replaced in a stream; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tcworker.line_pattern import LinePattern
from tcworker.task.secret_spans import WINDOW, LinePatterns, Literals, Span

MASK = b"[masked]"


class Masker:
    """Replaces secrets in a stream that comes in pieces, also where one lies across two of them.

    What is in a secret is replaced, and where secrets overlap all of it is replaced once. Of what it is given it holds
    back what could be the beginning of a secret, and no more: a line without one is let through at once. With
    patterns it holds back what is not yet a whole line, or 16 KiB of one.
    """

    def __init__(self, literals: Iterable[bytes] = (), patterns: Sequence[LinePattern] = ()) -> None:
        self._literals = Literals(literals)
        self._lines = LinePatterns(patterns)
        self._held = b""
        # Of the bytes that are held back: how many are in a secret that is replaced already, how many were looked at
        # for patterns, and what was found in them that would not be found again.
        self._covered = self._looked_at = 0
        self._known: list[Span] = []
        self._after_gap = False

    def replace_literals(self, literals: Iterable[bytes]) -> None:
        """Mask these from now on, in what is held back as well."""
        self._literals = Literals(literals)

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, and give what can go on."""
        if not (self._literals or self._lines or self._held):
            return piece
        data = self._held + piece
        if self._after_gap and not self._knows_line(data):
            self._held = data
            return b""
        return self._give(data, whole=False)

    def flush(self) -> bytes:
        """Give what was held back: nothing more comes. After that it begins anew."""
        given = self._give(self._held, whole=True)
        self._begin(after_gap=False)
        return given

    def flush_before_gap(self) -> bytes:
        """Give what was held back: what comes next is lost. After that it begins anew.

        Nobody can tell whether a pattern would have been in the line that is lost in part, so all of it is masked.
        """
        if self._lines and self._looked_at < len(self._held):
            self._known.append((self._looked_at, len(self._held)))
        return self.flush()

    def begin_after_gap(self) -> None:
        """What comes next follows something that is lost, perhaps the first part of a secret. Nothing is held back."""
        self._begin(after_gap=True)

    def _begin(self, after_gap: bool) -> None:
        self._held = b""
        self._covered = self._looked_at = 0
        self._known = []
        self._after_gap = after_gap

    def _knows_line(self, data: bytes) -> bool:
        """Whether there is enough to know in which line, and in which secret, a gap ended."""
        whole = not self._lines or b"\n" in data[:WINDOW] or len(data) >= WINDOW
        return whole and len(data) >= self._literals.longest

    def _give(self, data: bytes, whole: bool) -> bytes:
        """Give what is known to be in no secret that is not replaced; hold back the rest."""
        if self._after_gap:
            self._close_gap(data)
        spans = self._literals.spans(data)
        safe = self._literals.begun(data)
        if self._lines:
            found, self._looked_at = self._lines.spans(data, self._looked_at, whole=whole)
            self._known += found
            safe = min(safe, self._looked_at)
        if whole:
            spans += self._literals.first_parts(data)
            safe = len(data)
        return self._replace(data, sorted(spans + self._known), safe)

    def _close_gap(self, data: bytes) -> None:
        self._after_gap = False
        self._known += self._literals.last_parts(data)
        if self._lines:
            # As before the gap: a line that is lost in part.
            newline = data.find(b"\n", 0, WINDOW)
            self._looked_at = newline if newline >= 0 else min(len(data), WINDOW)
            self._known += [(0, self._looked_at)] if self._looked_at else []

    def _replace(self, data: bytes, spans: Sequence[Span], safe: int) -> bytes:
        """Give the data up to C{safe}, before which all spans are known, and keep the rest."""
        parts: list[bytes] = []
        at = self._covered
        for begin, end in spans:
            if begin >= safe:
                break
            # One that begins in another has that one's mask, and only makes it longer.
            if begin >= at:
                parts += data[at:begin], MASK
            at = max(at, end)
        parts.append(data[at:safe])
        self._keep(data, safe, at)
        return b"".join(parts)

    def _keep(self, data: bytes, safe: int, at: int) -> None:
        """Hold back what is not safe; up to C{at} all is given or masked, which may be more than what is safe."""
        self._held = data[safe:]
        self._covered = max(0, at - safe)
        self._looked_at = max(0, self._looked_at - safe)
        # Of one that begins in what is given, the rest is covered.
        self._known = [(begin - safe, end - safe) for begin, end in self._known if begin >= safe]
