"""Artifacts of a run whose worker must go: from small to large, as far as the time goes."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.python.failure import Failure

from tcworker.errors import TooLate
from tcworker.feature.artifacts.entry import Late, Shared
from tcworker.feature.artifacts.hands import Hands
from tcworker.interfaces import IResult, ITaskContext


async def publish_late(shared: Shared, result: IResult, hands: Hands) -> Sequence[Failure]:
    """Publish what was noted as late; gives what nobody foresaw.

    What does not come in time has an error artifact in its place.

    @param hands: others than those of what was begun before, which is on its way as well.
    """
    late = sorted(shared.late, key=lambda each: each.size)
    _see_whether_all_come(late, shared.context)
    try:
        for each in late:
            await hands.take()
            hands.work(each.entry.publish_late(each, result))
        await hands.idle()
    finally:
        await hands.stop()
    return hands.failures


def _see_whether_all_come(late: Sequence[Late], context: ITaskContext) -> None:
    """End the run if artifacts that it must have come too late, so that the queue is told before any is published."""
    size = needed = 0
    for each in late:
        size += each.size
        needed = needed if each.entry.wanted.optional else size
    seconds, left = context.seconds_to_publish(needed), context.time_left()
    if needed and seconds > left:
        why = f"the worker must go: there are {left:.0f} s for artifacts that take {seconds:.0f} s"
        context.fail(TooLate(why, evidence={"secondsLeft": round(left, 3), "secondsNeeded": round(seconds, 3)}))
