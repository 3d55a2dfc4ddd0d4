"""Task definitions: what createTask takes, and what it makes of it (contracts of the queue, 1.5)."""

from __future__ import annotations

from typing import Any

from tcworker.embedded import dates
from tcworker.embedded.faults import bad_input
from tcworker.embedded.queue.open_run_store import RANKS
from tcworker.embedded.queue.states import Task
from tcworker.embedded.schemas import (
    DATE,
    NAME,
    NAME_38,
    PROJECT,
    SCOPE,
    SLUGID,
    TASK_QUEUE,
    WORKER_TYPE,
    Schema,
    closed,
)
from tcworker.interfaces import JSON, ScopeExpression

SKEW = 15 * dates.MINUTE
FARTHEST_DEADLINE = 5 * dates.DAY
YEAR = 365 * dates.DAY


def _text(most: int, least: int = 0, **more: Any) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most, **more}


_METADATA = closed(
    {
        "name": _text(255),
        "description": _text(32768),
        "owner": _text(255),
        "source": _text(4096, pattern="^(https?://|ssh://|git@)[^\\0]*$"),
    },
    required=["name", "description", "owner", "source"],
)

DEFINITION = closed(
    {
        "provisionerId": {"type": "string", "pattern": NAME},
        "workerType": {"type": "string", "pattern": f"^{WORKER_TYPE}$"},
        "taskQueueId": {"type": "string", "pattern": TASK_QUEUE},
        "schedulerId": {**NAME_38, "default": "-"},
        "projectId": {**PROJECT, "default": "none"},
        "taskGroupId": {"type": "string", "pattern": SLUGID},
        "dependencies": {
            "type": "array",
            "items": {"type": "string", "pattern": SLUGID},
            "uniqueItems": True,
            "maxItems": 10000,
            "default": [],
        },
        "requires": {"enum": ["all-completed", "all-resolved"], "default": "all-completed"},
        "routes": {"type": "array", "items": _text(249, 1), "uniqueItems": True, "maxItems": 64, "default": []},
        "priority": {"enum": list(RANKS), "default": "lowest"},
        "retries": {"type": "integer", "minimum": 0, "maximum": 49, "default": 5},
        "created": DATE,
        "deadline": DATE,
        "expires": DATE,
        "scopes": {"type": "array", "items": SCOPE, "maxItems": 10000, "default": []},
        "payload": {"type": "object"},
        "metadata": _METADATA,
        "tags": {"type": "object", "additionalProperties": _text(4096), "default": {}},
        "extra": {"type": "object", "default": {}},
    },
    required=["created", "deadline", "payload", "metadata"],
)


def complete(task_id: str, definition: JSON) -> JSON:
    """Fill in what can be told from the rest, dates in the queue's own form. Raises L{ApiError}."""
    deadline = dates.read(definition["deadline"])
    expires = dates.read(definition["expires"]) if "expires" in definition else min(deadline + YEAR, dates.LAST)
    # Dates are written anew: the same task, created again in other spellings of its dates, is the same still.
    return {
        **definition,
        **_task_queue(definition),
        "taskGroupId": definition.get("taskGroupId", task_id),
        "created": dates.write(dates.read(definition["created"])),
        "deadline": dates.write(deadline),
        "expires": dates.write(expires),
    }


def _task_queue(definition: JSON) -> JSON:
    # Clients of old name the two parts, those of today the whole. Whoever reads a definition finds both.
    named = definition.get("taskQueueId")
    parts = (definition.get("provisionerId"), definition.get("workerType"))
    if named is None:
        if None in parts:
            raise bad_input("A task needs taskQueueId, or both provisionerId and workerType.")
        named = "/".join(parts)
    provisioner_id, worker_type = named.split("/")
    if parts[0] not in (None, provisioner_id) or parts[1] not in (None, worker_type):
        raise bad_input(f"taskQueueId {named} does not agree with provisionerId and workerType {parts}.")
    return {"taskQueueId": named, "provisionerId": provisioner_id, "workerType": worker_type}


def scopes_to_create(definition: JSON) -> ScopeExpression:
    """Give what somebody needs who creates such a task."""
    # Who may let tasks come sooner than others may also let them come later.
    least = RANKS[definition["priority"]]
    priorities = [name for name, rank in RANKS.items() if rank >= least]
    queue = definition["taskQueueId"]
    return {
        "AllOf": [
            *definition["scopes"],
            *(f"queue:route:{route}" for route in definition["routes"]),
            f"queue:create-task:project:{definition['projectId']}",
            f"queue:scheduler-id:{definition['schedulerId']}",
            {"AnyOf": [f"queue:create-task:{priority}:{queue}" for priority in priorities]},
        ]
    }


def check_dates(definition: JSON, now: int) -> None:
    """Raise L{ApiError} for dates that do not go together, and for scopes that nobody can have."""
    created, deadline, expires = (dates.read(definition[name]) for name in ("created", "deadline", "expires"))
    if abs(created - now) > SKEW:
        raise bad_input("created must be within 15 minutes of the present.")
    if deadline <= created:
        raise bad_input("deadline must be after created.")
    if deadline < now:
        raise bad_input("deadline must be in the future.")
    # A client whose clock is ahead may make use of all five days.
    if deadline > now + FARTHEST_DEADLINE + SKEW:
        raise bad_input("deadline must be within 5 days.")
    if expires < deadline:
        raise bad_input("expires must not be before deadline.")
    if any(scope.endswith("**") for scope in definition["scopes"]):
        raise bad_input("A scope must not end in two stars.")


def new_task(task_id: str, definition: JSON) -> Task:
    """Make the task of a definition, without a run."""
    return Task(
        task_id=task_id,
        task_queue_id=definition["taskQueueId"],
        scheduler_id=definition["schedulerId"],
        project_id=definition["projectId"],
        group_id=definition["taskGroupId"],
        priority=definition["priority"],
        deadline=dates.read(definition["deadline"]),
        expires=dates.read(definition["expires"]),
        retries=definition["retries"],
        retries_left=definition["retries"],
        requires=definition["requires"],
    )
