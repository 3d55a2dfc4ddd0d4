"""Tasks, as whoever creates them writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tcworker.interfaces import JSON
from tcworker.task.claim import write_date


def shell(*scripts: str, **payload: Any) -> dict[str, Any]:
    """A payload of one command for each script."""
    return {"command": [["sh", "-c", script] for script in scripts], "maxRunTime": 60, **payload}


def date(**later: float) -> str:
    """A date so much later than now."""
    return write_date(datetime.now(UTC) + timedelta(**later))


def definition(task_queue_id: str, payload: JSON, **more: Any) -> dict[str, Any]:
    """A task for a queue, with all that the queue wants to know.

    @param more: in addition, or in place of what is said here.
    """
    metadata = {"name": "t", "description": "", "owner": "a@b.c", "source": "https://example.com/"}
    dates = {"created": date(), "deadline": date(hours=1), "expires": date(hours=2)}
    return {"taskQueueId": task_queue_id, "metadata": metadata, "payload": payload, **dates, **more}
