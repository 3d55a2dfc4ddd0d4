"""What the queue hands out with a claim; pure readers of its JSON (contracts of the queue, 1.3 and 1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tcworker.interfaces import Credentials


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
            task_id=str(answer["status"]["taskId"]),
            run_id=int(answer["runId"]),
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


def read_date(text: str) -> datetime:
    """Read a date of the queue, whose precision and zone vary; the result is aware, UTC."""
    date = datetime.fromisoformat(text)
    # Services mean UTC, whatever they leave out.
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def write_date(date: datetime) -> str:
    """Write an aware date as the queue does: UTC, milliseconds, C{Z}."""
    return date.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
