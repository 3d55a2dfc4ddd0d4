"""What the queue hands out with a claim; pure readers of its JSON (contracts of the queue, 1.3 and 1.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tcworker.errors import InternalError, MalformedPayload, TaskError
from tcworker.interfaces import JSON, Credentials
from tcworker.json_reading import at, is_object, place

_TASK_ID = re.compile("[A-Za-z0-9_-]{1,64}")

# What may stand in a header, between quotes.
_SIGNABLE = re.compile(r"[ -!#-\[\]-~]+")

_MOST_RUNS = 1000

LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Claim:
    """One claimed run.

    @ivar task: the task's definition.
    @ivar taken_until: when the claim ends unless it is reclaimed; aware, UTC.
    @ivar fault: why it cannot be run, C{None} when it can; then only its name and its credentials mean something, which
        is enough to resolve it.
    """

    task_id: str
    run_id: int
    task: Mapping[str, Any]
    taken_until: datetime
    credentials: Credentials
    fault: TaskError | None = None

    @classmethod
    def from_json(cls, answer: JSON, until: datetime = LONG_AGO) -> Claim:
        """Read one claim of claimWork's answer. Raises C{ValueError} if nobody could even resolve it.

        @param until: when to take it to end, should it not say so.
        """
        run = (_read_task_id(at(answer, str, "status", "taskId")), _read_run_id(at(answer, int, "runId")))
        credentials = credentials_at(answer, "credentials")
        try:
            until = date_at(answer, "takenUntil")
            task = _read_task(answer)
        except TaskError as error:
            return cls(*run, {}, until, credentials, error)
        except ValueError as error:
            return cls(*run, {}, until, credentials, InternalError(f"the claim cannot be read: {error}"))
        return cls(*run, task, until, credentials)

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


def _read_task_id(value: str) -> str:
    # Folders and units are named after tasks: a path in the name's place would lead out of where they belong.
    if _TASK_ID.fullmatch(value) is None:
        raise ValueError(f"{value[:100]!r} is no taskId")
    return value


def _read_run_id(value: int) -> int:
    if not 0 <= value <= _MOST_RUNS:
        raise ValueError(f"{str(value)[:100]} is no runId")
    return value


def _read_task(answer: JSON) -> Mapping[str, Any]:
    """The definition. L{MalformedPayload} if it lacks what a run, and its log, cannot do without."""
    try:
        for key in ("deadline", "expires"):
            date_at(answer, "task", key)
    except ValueError as error:
        raise MalformedPayload(f"the task's definition cannot be read: {error}") from None
    return at(answer, dict, "task")


def credentials_at(answer: JSON, *path: str | int) -> Credentials:
    """The credentials at a place of an answer. Raises C{ValueError} for what no request can be signed with."""
    found = at(answer, dict, *path)
    client_id, token = at(found, str, "clientId"), at(found, str, "accessToken")
    certificate = at(found, str, "certificate") if found.get("certificate") is not None else None
    if not (_SIGNABLE.fullmatch(client_id) and token.isascii() and (not certificate or is_object(certificate))):
        raise ValueError(f"{place(path)}: no request can be signed with these")
    return Credentials(client_id, token, certificate or None)


def date_at(answer: JSON, *path: str | int) -> datetime:
    """The date at a place of an answer, aware, UTC. Raises C{ValueError}."""
    text = at(answer, str, *path)
    try:
        return read_date(text)
    except ValueError:
        raise ValueError(f"{place(path)} is no date") from None


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
