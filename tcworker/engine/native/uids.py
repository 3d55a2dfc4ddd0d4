"""Numbers for users that live as long as a task: each is long out of use before it comes again.

All workers of a machine share one file, so that none takes the number of another's user.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tcworker.errors import ResourceUnavailable

REGISTER_FOLDER = "/var/lib/tcworker"
"""Of what the workers of a machine share."""

OUT_OF_USE = 1000
"""For so many users after its own a number is not given again: what a user left somewhere is not another's soon."""

_NAME = "task-uids.json"


class TaskUids:
    """Gives numbers in rotation. All methods block for as long as another process has the file.

    @param folder: where the file is; made when it is not there.
    @ivar first: the first number.
    @ivar last: the last one.
    """

    def __init__(self, folder: str, first: int, last: int) -> None:
        self._folder = folder
        self.first, self.last = first, last
        # Each has a turn of its own: another worker's range would else begin ours anew.
        self._range = f"{first}-{last}"

    def take(self, is_free: Callable[[int], bool]) -> int:
        """Give the next number.

        @param is_free: whether this machine has no user, group or process of a number.
        @raise ResourceUnavailable: there is none. C{OSError}: the file cannot be had.
        """
        with self._open() as register:
            for uid in self._in_turn(register.last.get(self._range, 0)):
                if uid not in register.freed and is_free(uid):
                    register.last[self._range] = uid
                    return uid
        raise ResourceUnavailable(
            f"no number for the task's user is free from {self.first} to {self.last} (taskUidRange): look which users "
            "of ended tasks are left (getent passwd | grep ^task_), or give the worker a larger range"
        )

    def give_back(self, uid: int) -> None:
        """The user of a number is gone. Raises C{OSError}."""
        with self._open() as register:
            register.freed = [*register.freed, uid][-OUT_OF_USE:]

    def _in_turn(self, last: int) -> Iterator[int]:
        """All numbers, those after the last one first."""
        size = self.last - self.first + 1
        start = last + 1 - self.first if self.first <= last < self.last else 0
        return (self.first + (start + step) % size for step in range(size))

    @contextlib.contextmanager
    def _open(self) -> Iterator[_Register]:
        """Have the file alone, and write it back."""
        os.makedirs(self._folder, mode=0o755, exist_ok=True)
        path = os.path.join(self._folder, _NAME)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            register = _read(path)
            yield register
            _write(path, register)
        finally:
            os.close(lock)


@dataclass
class _Register:
    """What the file holds: the number given last of each range, and those freed lately, in order."""

    last: dict[str, int] = field(default_factory=dict)
    freed: Sequence[int] = field(default_factory=list)


def _read(path: str) -> _Register:
    # One that is damaged costs the rotation, and no task.
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError, KeyError, AttributeError), open(path) as file:
        found = json.load(file)
        last = {str(numbers): int(uid) for numbers, uid in found["last"].items()}
        return _Register(last, [int(uid) for uid in found["freed"]])
    return _Register()


def _write(path: str, register: _Register) -> None:
    with open(f"{path}.new", "w") as file:
        json.dump({"last": register.last, "freed": list(register.freed)}, file)
    os.replace(f"{path}.new", path)
