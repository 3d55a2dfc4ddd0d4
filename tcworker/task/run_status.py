"""What the status of a task says of one of its runs; pure (contracts of the queue, 1.6)."""

from __future__ import annotations

from tcworker.interfaces import JSON
from tcworker.task.resolution import DECIDED_BY_QUEUE, Resolution

_BY_REASON = {resolution.reason: resolution for resolution in DECIDED_BY_QUEUE}


def decision_of_queue(status: JSON, run_id: int) -> Resolution | None:
    """How the queue itself ended a run: C{CANCELED}, C{DEADLINE_EXCEEDED} or C{CLAIM_LOST}; C{None} if it did not.

    What a worker has reported is nobody's news. Raises C{ValueError} for what is no status, or of no such run.
    """
    runs = status.get("runs") if isinstance(status, dict) else None
    if not isinstance(runs, list) or not 0 <= run_id < len(runs):
        raise ValueError(f"a status without run {run_id}")
    run = runs[run_id]
    if not isinstance(run, dict) or run.get("runId") != run_id:
        raise ValueError(f"a status in whose run {run_id} is another one, or none")
    reason = run.get("reasonResolved")
    return _BY_REASON.get(reason) if isinstance(reason, str) else None
