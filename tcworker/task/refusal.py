"""A queue that wants to hear no more of a run (409): its status says how that ended (contracts of the queue, 1.4)."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from tcworker.client.answers import reading
from tcworker.errors import TaskclusterError, Unreachable
from tcworker.interfaces import JSON, QueueCalls
from tcworker.json_reading import at
from tcworker.task.claim import Claim
from tcworker.task.resolution import CANCELED, Resolution
from tcworker.task.run_status import resolution_in
from tcworker.worker_log import RunLogger

ANSWER_SECONDS = 10.0
"""For a question whose answer no longer decides whether the run goes on, but only what it is called."""


async def how_it_ended(claim: Claim, queue: QueueCalls, clock: IReactorTime) -> Resolution | None:
    """Ask how a run ended; C{None} if it has not. Whoever cannot tell publishes what there is: C{CANCELED}."""
    try:
        status = await in_time("status", queue.status(claim.task_id), ANSWER_SECONDS, clock)
        return reading("status", lambda answer: resolution_in(at(answer, dict, "status"), claim.run_id), status)
    except TaskclusterError as error:
        RunLogger(claim.name).warn("the run is over, the queue does not say why: {error}", error=error)
        return CANCELED


def in_time(method: str, answer: Deferred[JSON], seconds: float, clock: IReactorTime) -> Deferred[JSON]:
    """Let a call of the queue fail with L{Unreachable} if it takes longer."""

    def too_late(result: object, seconds: float) -> None:
        raise Unreachable(method, f"no answer in {seconds:.0f} s")

    return answer.addTimeout(seconds, clock, too_late)
