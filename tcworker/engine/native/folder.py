"""The folder of a task: made at once, and removed (in a thread: that takes its time) whatever the task put there."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from itertools import count
from typing import Any

_LONGEST = 20


def make_folder(parent: str, task_id: str, run_id: int, owner: tuple[int, int] | None) -> str:
    """Make a folder for one run that only its user may enter, and answer its path. Raises C{OSError}."""
    name = _name(task_id, run_id)
    for number in count(1):
        path = os.path.join(parent, name if number == 1 else f"{name}-{number}")
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        _give(path, owner)
        return path
    raise AssertionError("numbers do not end")


def remove_folder(path: str) -> None:
    """Remove a folder and all in it, which need not be there. Raises C{OSError}."""
    shutil.rmtree(path, onerror=_unlock)


def _give(path: str, owner: tuple[int, int] | None) -> None:
    if owner is not None:
        try:
            os.chown(path, *owner)
        except BaseException:
            os.rmdir(path)
            raise


def _name(task_id: str, run_id: int) -> str:
    """As the reference names it; the task's part is cut, so that a rerun never collides."""
    end = f"_{run_id}"
    return f"task_{task_id}"[: _LONGEST - len(end)] + end


def _unlock(remove: Callable[..., Any], path: str, failure: Any) -> None:
    """Try once more with the rights that an owner can give to itself."""
    error = failure[1]
    if isinstance(error, FileNotFoundError):
        return
    if not isinstance(error, PermissionError):
        raise error
    folder = path if remove in (os.open, os.scandir, os.lstat) else os.path.dirname(path)
    if stat.S_IMODE(os.lstat(folder).st_mode) & 0o700 == 0o700:
        raise error
    os.chmod(folder, 0o700)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, onerror=_unlock)
    else:
        os.unlink(path)
