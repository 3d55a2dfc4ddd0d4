"""What the status of a task says of one of its runs; pure (contracts of the queue, 1.6)."""

from __future__ import annotations

from tcworker.interfaces import JSON
from tcworker.json_reading import at
from tcworker.task.resolution import DECIDED_BY_QUEUE, Resolution

_BY_REASON = {resolution.reason: resolution for resolution in DECIDED_BY_QUEUE}


def resolution_in(status: JSON, run_id: int) -> Resolution | None:
    """How a run ended, whoever said so; C{None} if it has not.

    Raises C{ValueError} for what is no status, or of no such run.
    """
    run = at(status, dict, "runs", run_id)
    if at(run, int, "runId") != run_id:
        raise ValueError(f"runs[{run_id}] is another run")
    if "reasonResolved" not in run:
        return None
    reason = at(run, str, "reasonResolved")
    return _BY_REASON.get(reason) or Resolution(at(run, str, "state"), reason)


def decision_of_queue(status: JSON, run_id: int) -> Resolution | None:
    """How the queue itself ended a run: C{CANCELED}, C{DEADLINE_EXCEEDED} or C{CLAIM_LOST}; C{None} if it did not.

    What a worker has reported is nobody's news. Raises C{ValueError} as L{resolution_in}.
    """
    resolution = resolution_in(status, run_id)
    return resolution if resolution in DECIDED_BY_QUEUE else None
