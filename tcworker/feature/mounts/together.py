"""Things that all mounts of a run do side by side, and what their failures come to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.python.failure import Failure

from tcworker.feature.mounts.mount import Mount
from tcworker.task.outcome import as_task_error, join

Step = Callable[[Mount], Awaitable[None]]


async def all_of(mounts: Sequence[Mount], step: Step, run: str) -> None:
    """Do one step of all mounts at once. Raises what their failures come to, each with its place, when all have ended.

    @param run: its name.
    """
    works = [_begin(mount, step) for mount in mounts]
    _raise(mounts, await DeferredList(works, consumeErrors=True), run)


async def all_or_none(mounts: Sequence[Mount], step: Step, run: str) -> None:
    """The same for what takes long: when one has failed, nobody waits for the others."""
    works = [_begin(mount, step) for mount in mounts]
    for work in works:
        work.addErrback(_cancel_all, works)
    _raise(mounts, await DeferredList(works, consumeErrors=True), run)


def _begin(mount: Mount, step: Step) -> Deferred[None]:
    async def begin() -> None:
        await step(mount)

    return Deferred.fromCoroutine(begin())


def _cancel_all(failure: Failure, works: Sequence[Deferred[None]]) -> Failure:
    # Those that are cancelled here come here in their turn.
    if not failure.check(CancelledError):
        for work in works:
            work.cancel()
    return failure


def _raise(mounts: Sequence[Mount], outcomes: Sequence[tuple[bool, Any]], run: str) -> None:
    failures = [(mount, value) for mount, (fine, value) in zip(mounts, outcomes, strict=True) if not fine]
    errors = [
        mount.entry.locate(as_task_error(failure, run, f"mounting {mount.entry.path}"))
        for mount, failure in failures
        if not failure.check(CancelledError)
    ]
    if joined := join(errors):
        raise joined
    if failures:
        raise CancelledError
