"""What of C{payload.mounts} cannot be, as far as the task's definition alone tells it."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Sequence

from tcworker.engine.attached import Attached, Attachments, Kind, Target
from tcworker.errors import MalformedPayload
from tcworker.extract.formats import check_file_format, check_folder_format
from tcworker.feature.mounts.entry import Entry


def judge(entries: Sequence[Entry], dependencies: Collection[str], strict: bool) -> list[str]:
    """Give a line for each thing that cannot be.

    @param dependencies: the ids of tasks that the task depends on.
    @param strict: whether nothing can be changed in mounted folders.
    """
    return [
        # What has no place at all cannot be in the way of others.
        *([*_impossible(entries)] or [*_conflicting(entries, strict)]),
        *_unreadable(entries),
        *_undeclared(entries, dependencies),
    ]


def _impossible(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        key = "file" if entry.is_file else "directory"
        if not _is_possible(entry.path):
            yield f"{entry.place}.{key}: found a character that no path can have"
        elif entry.is_file and posixpath.basename(entry.path) in ("", ".", ".."):
            yield f"{entry.place}.{key}: found {entry.path}, which can only be a folder; expected the path of a file"


def _conflicting(entries: Sequence[Entry], strict: bool) -> Iterator[str]:
    """What the engine would say as well, but only when everything has been fetched."""
    attachments = Attachments()
    for entry in entries:
        kind = Kind.CACHE if entry.cache_name is not None else Kind.FILE if entry.is_file else Kind.TREE
        try:
            fixed = strict and kind is Kind.TREE
            attachments.add(Attached(kind, Target.of(entry.path), entry.place, folder=None, source="", read_only=fixed))
        except MalformedPayload as error:
            yield from (f"{entry.place}: {message}" for message in error.messages)


def _is_possible(path: str) -> bool:
    """Whether the kernel can take a path."""
    try:
        return b"\0" not in path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _unreadable(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.format is None:
            continue
        try:
            (check_file_format if entry.is_file else check_folder_format)(entry.format)
        except MalformedPayload as error:
            yield from (f"{entry.place}.format: {message}" for message in error.messages)


def _undeclared(entries: Sequence[Entry], dependencies: Collection[str]) -> Iterator[str]:
    """Contracts of generic-worker, 4: whoever reads a task's artifacts must wait until they are there."""
    for entry in entries:
        task_id = (entry.content or {}).get("taskId")
        if task_id is not None and task_id not in dependencies:
            yield (
                f"{entry.place}.content.taskId: task.dependencies needs to include {task_id}, since one or more of "
                "its artifacts are mounted"
            )
