"""Strangers' texts as they may be shown. Loads nothing, for programs that are to begin quickly."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text without what would do something to the screen on which it is read, or begin a line there."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
