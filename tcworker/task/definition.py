"""Whether a task's definition, beside its payload, is what the queue lets it be (contracts of the queue, 1.5); pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tcworker.errors import MalformedPayload
from tcworker.interfaces import JSON
from tcworker.json_reading import at, texts_at

_PARTS: Mapping[str, Callable[[JSON, str], object]] = {
    "scopes": texts_at,
    "dependencies": texts_at,
    "routes": texts_at,
    "taskGroupId": lambda task, name: at(task, str, name),
    **dict.fromkeys(("metadata", "tags", "extra"), lambda task, name: at(task, dict, name)),
}
"""What raises C{ValueError} for a part, by the part's name."""


def check_definition(task: Mapping[str, Any]) -> None:
    """Raise L{MalformedPayload} that says all that is wrong. A part that is missing counts as an empty one."""
    faults = [_fault(partial(check, task, name)) for name, check in _PARTS.items() if name in task]
    if wrong := [fault for fault in faults if fault is not None]:
        raise MalformedPayload(*wrong)


def _fault(check: Callable[[], object]) -> str | None:
    try:
        check()
    except ValueError as error:
        return f"task.{error}"
    return None
