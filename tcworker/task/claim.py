"""What the queue hands out with a claim; pure readers of its JSON (contracts of the queue, 1.3 and 1.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tcworker.interfaces import Credentials

_TASK_ID = re.compile("[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Claim:
    """One claimed run.

    @ivar task: the task's definition.
    @ivar taken_until: when the claim ends unless it is reclaimed; aware, UTC.
    """

    task_id: str
    run_id: int
    task: Mapping[str, Any]
    taken_until: datetime
    credentials: Credentials

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Claim:
        """Read one claim of claimWork's answer. Raises C{KeyError}, C{TypeError} or C{ValueError} if it is none."""
        return cls(
            task_id=_read_task_id(answer["status"]["taskId"]),
            run_id=_read_run_id(answer["runId"]),
            task=dict(answer["task"]),
            taken_until=read_date(answer["takenUntil"]),
            credentials=Credentials.from_json(answer["credentials"]),
        )

    @property
    def deadline(self) -> datetime:
        """When the queue resolves the task by itself."""
        return read_date(self.task["deadline"])

    @property
    def expires(self) -> datetime:
        """When the task, its log and its artifacts may be deleted."""
        return read_date(self.task["expires"])

    @property
    def name(self) -> str:
        """C{taskId/runId}, as in the worker's log."""
        return f"{self.task_id}/{self.run_id}"


def _read_task_id(value: Any) -> str:
    # Folders and units are named after tasks: a path in the name's place would lead out of where they belong.
    if not isinstance(value, str) or _TASK_ID.fullmatch(value) is None:
        raise ValueError(f"{str(value)[:100]!r} is no taskId")
    return value


def _read_run_id(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{str(value)[:100]!r} is no runId")
    return value


def read_date(text: str) -> datetime:
    """Read a date of the queue, whose precision and zone vary; the result is aware, UTC.

    Raises C{ValueError} for what is no date, and C{TypeError} for what is no text.
    """
    date = datetime.fromisoformat(text)
    # Services mean UTC, whatever they leave out.
    if date.tzinfo is None:
        return date.replace(tzinfo=UTC)
    try:
        return date.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is before or after all dates") from error


def write_date(date: datetime) -> str:
    """Write an aware date as the queue does: UTC, milliseconds, C{Z}."""
    return date.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
