"""Whole numbers as strangers write them, which may be of any length."""

from __future__ import annotations

LARGEST = (1 << 53) - 1
"""The largest one that is the same in every language."""


def up_to(most: int, digits: str) -> int:
    """Give the number of some digits, or C{most} if that is less; of very long ones Python makes no number at all."""
    bare = digits.lstrip("0")
    return most if len(bare) > len(str(most)) else min(int(bare or 0), most)
