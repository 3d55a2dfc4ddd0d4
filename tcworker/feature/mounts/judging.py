"""What of C{payload.mounts} cannot be, as far as the task's definition alone tells it."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Sequence

from tcworker.errors import MalformedPayload
from tcworker.extract.formats import check_file_format, check_folder_format
from tcworker.feature.mounts.entry import Entry


def judge(entries: Sequence[Entry], dependencies: Collection[str]) -> list[str]:
    """Give a line for each thing that cannot be.

    @param dependencies: the ids of tasks that the task depends on.
    """
    return [*_impossible(entries), *_unreadable(entries), *_undeclared(entries, dependencies)]


def _impossible(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        key = "file" if entry.is_file else "directory"
        if not _is_possible(entry.path):
            yield f"{entry.place}.{key}: found a character that no path can have"
        elif entry.is_file and posixpath.basename(entry.path) in ("", ".", ".."):
            yield f"{entry.place}.{key}: found {entry.path}, which can only be a folder; expected the path of a file"


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
