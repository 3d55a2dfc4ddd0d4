"""Reads JSON that others wrote, and says where it is not what it should be."""

from __future__ import annotations

import json
from typing import TypeVar

from tcworker.interfaces import JSON

T = TypeVar("T")

_NAMES = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}


def at(value: JSON, kind: type[T], *path: str | int) -> T:
    """Give what stands at a place. Raises C{ValueError} that names the place where something else stands, or nothing.

    The text shows nothing of what was found: nobody knows what may have strayed there.
    """
    for depth, step in enumerate(path):
        if not _leads_on(value, step):
            raise ValueError(f"there is no {place(path[: depth + 1])}")
        value = value[step]
    # In Python, but not in JSON, true and false are numbers.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{place(path)} is not {_NAMES.get(kind, kind.__name__)}")
    return value


def texts_at(value: JSON, *path: str | int) -> list[str]:
    """Give the list of texts at a place, as L{at}."""
    return [at(value, str, *path, index) for index in range(len(at(value, list, *path)))]


def is_object(text: str) -> bool:
    """Whether a text is an object in JSON, of a depth that can be read."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _leads_on(value: JSON, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(value, dict) and step in value
    return isinstance(value, list) and 0 <= step < len(value)


def place(path: tuple[str | int, ...]) -> str:
    """Name a place as in C{tasks[0].task}."""
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return name.lstrip(".") or "it"
