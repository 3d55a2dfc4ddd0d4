"""What the status of a task says of one of its runs; pure (contracts of the queue, 1.6)."""

from __future__ import annotations

from tcworker.interfaces import JSON
from tcworker.json_reading import at
from tcworker.task.resolution import DECIDED_BY_QUEUE, Resolution

_BY_REASON = {resolution.reason: resolution for resolution in DECIDED_BY_QUEUE}


def decision_of_queue(status: JSON, run_id: int) -> Resolution | None:
    """How the queue itself ended a run: C{CANCELED}, C{DEADLINE_EXCEEDED} or C{CLAIM_LOST}; C{None} if it did not.

    What a worker has reported is nobody's news. Raises C{ValueError} for what is no status, or of no such run.
    """
    run = at(status, dict, "runs", run_id)
    if at(run, int, "runId") != run_id:
        raise ValueError(f"runs[{run_id}] is another run")
    return _BY_REASON.get(at(run, str, "reasonResolved")) if "reasonResolved" in run else None
