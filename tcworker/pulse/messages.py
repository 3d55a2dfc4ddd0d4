"""What messages of the exchange task-exception say; pure (contracts of the queue, 2.3 and 2.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tcworker.interfaces import JSON
from tcworker.task.resolution import Resolution
from tcworker.task.run_status import decision_of_queue

EXCHANGE = "exchange/taskcluster-queue/v1/task-exception"

LARGEST = 1 << 20
"""Bytes of the longest message that is read: a status with all the runs that a task can have takes 20,000."""


@dataclass(frozen=True)
class Decision:
    """That the queue ended a run."""

    task_id: str
    run_id: int
    resolution: Resolution


def binding_of(worker_group: str, worker_id: str) -> str:
    """The routing keys of messages about runs that a worker had."""
    return f"primary.*.*.{worker_group}.{worker_id}.#"


def read_decision(body: bytes) -> Decision | None:
    """Read a message; C{None} if it tells nothing that the worker did not do itself.

    Raises C{ValueError} for what is no such message, and says why.
    """
    if len(body) > LARGEST:
        raise ValueError(f"{len(body)} bytes")
    message = _object(body)
    status, run_id = message.get("status"), message.get("runId")
    if run_id is None:
        # Of a task that had no run yet.
        return None
    task_id = status.get("taskId") if isinstance(status, dict) else None
    if not isinstance(task_id, str) or type(run_id) is not int:
        raise ValueError("no taskId, or a runId that is no number")
    resolution = decision_of_queue(status, run_id)
    return None if resolution is None else Decision(task_id, run_id, resolution)


def _object(body: bytes) -> dict[str, Any]:
    try:
        message: JSON = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    if not isinstance(message, dict):
        raise ValueError("JSON that is no object")
    return message
