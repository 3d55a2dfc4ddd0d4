"""Whether two JSON values are the same, which Python's own comparison does not tell: to it, C{True} is 1."""

from __future__ import annotations

from tcworker.interfaces import JSON


def same(one: JSON, other: JSON) -> bool:
    """Whether two values are the same one: 1 and 1.0 are, 1 and true are not, and the order of keys is no matter."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(map(same, one.values(), [other[key] for key in one]))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)
