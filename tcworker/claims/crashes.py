"""What was in hand when workers died: a task that takes one down again and again must get to another worker.

A note in the state directory is there for as long as a worker lives, and is removed by one that ends in order.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

NOTE = "crashes.json"

TOO_OFTEN = 2
"""Deaths in a row with one task in hand."""

_log = Logger()


class Crashes:
    """The note in one state directory, which the worker holds. All of it blocks, for threads.

    @ivar suspects: the tasks that were in hand each time when the last workers died.
    """

    def __init__(self, path: str, deaths: Mapping[str, int]) -> None:
        self._path = path
        self.suspects: Sequence[str] = sorted(task for task, count in deaths.items() if count >= TOO_OFTEN)

    @property
    def suspicion(self) -> str:
        """What there is to say about those."""
        tasks = ", ".join(self.suspects)
        return (
            f"the last workers here died with the same task in hand ({tasks}), which shall get to another worker first"
        )

    @classmethod
    def look_back(cls, folder: str, left: Iterable[str]) -> Crashes:
        """See how the worker before ended, and leave a note for the next one.

        @param left: the ids of tasks whose runs are left in the state directory.
        """
        path = os.path.join(folder, NOTE)
        before = _read(path)
        # Runs that one left which ended in order had been given up, and did nothing to it.
        deaths = {} if before is None else {task: before.get(task, 0) + 1 for task in left}
        try:
            _write(path, deaths)
        except OSError as error:
            _log.warn("should this worker die, the next one does not know what it had in hand: {error}", error=error)
        return cls(path, deaths)

    def ended_in_order(self) -> None:
        """The worker goes, and nothing took it down."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


class Pause:
    """Some seconds in which a worker claims nothing."""

    def __init__(self, clock: IReactorTime, seconds: float, why: str) -> None:
        self._clock = clock
        self._seconds = seconds
        self._why = why
        self._begun = clock.seconds()

    def why_held(self) -> str:
        """Why nothing is to be claimed for now; nothing if it may."""
        gone = self._clock.seconds() - self._begun
        # A clock that was set back ends it early.
        if not 0 <= gone < self._seconds:
            return ""
        return f"{self._why}, for {self._seconds - gone:.0f} s more (crashPauseSecs)"


def _read(path: str) -> Mapping[str, int] | None:
    """What the worker before noted; C{None} if it ended in order, or was never there."""
    try:
        with open(path) as file:
            found = json.load(file)
        return {str(task): int(count) for task, count in found["tasks"].items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # It died while a disk was full, maybe: still, it died.
        return {}


def _write(path: str, deaths: Mapping[str, int]) -> None:
    new = f"{path}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "w") as file:
        json.dump({"tasks": deaths}, file)
    os.replace(new, path)
