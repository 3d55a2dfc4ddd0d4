"""What messages of the exchange task-exception say; pure (contracts of the queue, 2.3 and 2.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tcworker.interfaces import JSON
from tcworker.json_reading import at
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
    message = _parsed(body)
    if "runId" not in at(message, dict):
        # Of a task that had no run yet.
        return None
    task_id, run_id = at(message, str, "status", "taskId"), at(message, int, "runId")
    resolution = decision_of_queue(message["status"], run_id)
    return None if resolution is None else Decision(task_id, run_id, resolution)


def _parsed(body: bytes) -> JSON:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
