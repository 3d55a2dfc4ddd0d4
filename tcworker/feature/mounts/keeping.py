"""What becomes of a task's writable caches when it has ended (contracts of generic-worker, 4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tcworker.feature.mounts.entry import Entry
from tcworker.interfaces import JSON, IResult


def why_not_kept(result: IResult, purging: Collection[int]) -> str | None:
    """Why the caches may be in no good state, in words that follow "since"; C{None} if they are kept.

    A task that merely failed leaves its caches whole.

    @param purging: C{payload.onExitStatus.purgeCaches}.
    """
    if result.killed is not None:
        return f"the worker ended the task: {result.killed}"
    if result.out_of_memory and not result.success:
        return "the kernel ended a process of the task for want of memory"
    status = result.commands[-1].exit.status if result.commands else None
    if status is not None and status in purging:
        return f"the last command exited with status {status}, for which payload.onExitStatus.purgeCaches asks that"
    return None


def is_published_from(entry: Entry, artifacts: Sequence[JSON]) -> bool:
    """Whether an artifact of the payload lies in a mount: then uploads come first."""
    return any(entry.holds(artifact["path"]) or _is_around(artifact, entry) for artifact in artifacts)


def _is_around(artifact: JSON, entry: Entry) -> bool:
    """Whether the mount lies in a folder that is published."""
    folder = Entry(0, artifact["path"], False, None, None, None)
    return artifact["type"] == "directory" and folder.holds(entry.path)
