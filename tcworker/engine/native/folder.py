"""The folder of a task: made at once, and removed (in a thread: that takes its time) whatever the task put there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count

from tcworker.engine.native.hold import Unmarked, find_unmarked, hold, is_left, let_go, take_over, take_over_unmarked
from tcworker.engine.native.mounts import unmount_below
from tcworker.engine.native.outside import remove_left_outside
from tcworker.removal import remove

UNDELETABLE = ".undeletable"
"""Folder beside those of tasks, for what could not be removed."""

_LONGEST = 20
_START = "task_"


def make_folder(parent: str, task_id: str, run_id: int) -> str:
    """Make a folder for one run that only its owner may enter, and answer its path. Raises C{OSError}."""
    name = _name(task_id, run_id)
    for number in count(1):
        path = os.path.join(parent, name if number == 1 else f"{name}-{number}")
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        _hold_new(path)
        return path
    raise AssertionError("numbers do not end")


def make_beside(folder: str, names: Sequence[str]) -> str:
    """Make a folder beside that of a run, with folders in it that everybody may write to; raises C{OSError}.

    Only we may enter it.
    """
    path = tempfile.mkdtemp(prefix=f"{os.path.basename(folder)}.", dir=os.path.dirname(folder))
    _hold_new(path)
    for name in names:
        place = os.path.join(path, name)
        os.mkdir(place)
        os.chmod(place, 0o1777)
    return path


def _is_beside(path: str) -> bool:
    """Whether a folder is one of L{make_beside}: what queues call a task has no dot."""
    return "." in os.path.basename(path)


def remove_folder(path: str) -> None:
    """Remove a folder and all in it, which need not be there.

    @raise OSError: something cannot go. The rest of the folder is moved into L{UNDELETABLE} then (the text says where),
        so that the name is free, and L{set_aside_in} finds it.
    """
    try:
        _remove_whole(path)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({_set_aside(path)})", error.filename) from error
    finally:
        let_go(path)


def remove_left(path: str) -> None:
    """Remove one of L{left_in}, unless somebody has it by now. Raises C{OSError}."""
    if take_over(path):
        with contextlib.ExitStack() as afterwards:
            afterwards.callback(remove_folder, path)
            # In its own folder a task can write what it likes.
            if _is_beside(path):
                remove_left_outside(path)


def remove_unmarked(left: Unmarked) -> None:
    """Remove one of L{unmarked_in}, when its worker has had its time to mark it, and has not. Raises C{OSError}."""
    if take_over_unmarked(left):
        remove_folder(left.path)


def remove_aside(path: str) -> None:
    """Remove one of L{set_aside_in}. Raises C{OSError}."""
    _remove_whole(path)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(path))


def left_in(parent: str) -> list[str]:
    """The folders of tasks whose worker died.

    Workers may share C{parent}. A folder counts only if it has our mark and no living process holds it
    (L{tcworker.engine.native.hold}): what another version or program made, or lies on a file system without locks or
    extended attributes, stays unless a record names it. For those that were not yet marked there is L{unmarked_in}.
    """
    return list(filter(is_left, _named_as_ours(parent)))


def unmarked_in(parent: str) -> list[Unmarked]:
    """Folders without anything in them that a worker has just made, or that one left which died as soon as it had."""
    return list(filter(None, map(find_unmarked, _named_as_ours(parent))))


def set_aside_in(parent: str) -> list[str]:
    """What could not be removed of folders of tasks."""
    aside = os.path.join(parent, UNDELETABLE)
    return [os.path.join(aside, name) for name in _names(aside)]


def _remove_whole(path: str) -> None:
    try:
        remove(path)
    except OSError:
        if not unmount_below(path):
            raise
        remove(path)


def _hold_new(path: str) -> None:
    try:
        hold(path)
    except BaseException:
        let_go(path)
        os.rmdir(path)
        raise


def _name(task_id: str, run_id: int) -> str:
    """As the reference names it; the task's part is cut, so that a rerun never collides."""
    end = f"_{run_id}"
    return f"{_START}{task_id}"[: _LONGEST - len(end)] + end


def _set_aside(path: str) -> str:
    """Move a folder out of the way, and say where it is."""
    aside = os.path.join(os.path.dirname(path), UNDELETABLE)
    # Two runs of one name may both leave something.
    place = os.path.join(aside, f"{os.path.basename(path)}.{os.urandom(4).hex()}")
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(aside, 0o700)
        os.rename(path, place)
    except OSError as error:
        return f"and it cannot be moved to {aside}: {error.strerror}"
    return f"what is left is in {place}"


def _named_as_ours(parent: str) -> list[str]:
    return [os.path.join(parent, name) for name in _names(parent) if name.startswith(_START)]


def _names(folder: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        yield from sorted(os.listdir(folder))
