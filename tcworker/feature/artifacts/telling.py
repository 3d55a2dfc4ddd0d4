"""What the log of a task says of its artifacts: of many, some."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from tcworker.errors import TaskError
from tcworker.feature.artifacts.wanted import Wanted, shown
from tcworker.interfaces import ITaskLog

MANY = 100
"""So many lines of a kind are written one by one; after that, there is one for as many."""

_MOST_FAULTS = 20
"""Faults that are told one by one."""


class Lines:
    """Lines of one kind."""

    def __init__(self, log: ITaskLog) -> None:
        self._log = log
        self._count = 0

    def info(self, message: str) -> None:
        """Write it, or leave it out."""
        self._count += 1
        if self._count <= MANY or self._count % MANY == 0:
            self._log.info(message)


class Faults:
    """What went wrong with the artifacts of one run."""

    def __init__(self, log: ITaskLog) -> None:
        self._log = log
        self._errors: list[TaskError] = []
        self._counts = {False: 0, True: 0}

    def add(self, wanted: Wanted, name: str, message: str, error: TaskError, what: str = "was not published") -> None:
        """Tell of an artifact that is not there, or not whole; of an optional one nothing follows."""
        self._counts[wanted.optional] += 1
        is_told = self._counts[wanted.optional] <= _MOST_FAULTS
        if wanted.optional:
            if is_told:
                self._log.info(f"Optional artifact {shown(name)} {what}: {shown(message)}")
            return
        line = f"TASK FAILURE during artifact upload: {shown(name)}: {shown(message)}"
        if is_told:
            # Treeherder shows every line that begins with "[taskcluster:error]" as a failure.
            self._log.error(line)
        # The kind of each error counts for the run's resolution, even if its text is one too many; of those of one kind
        # the first stands for all, in the words in which it is told.
        if type(error) not in map(type, self._errors):
            self._errors.append(_in_words(error, line))

    def close(self) -> Sequence[TaskError]:
        """Say how many were not told, and give what matters for the run."""
        for optional, count in self._counts.items():
            if count > _MOST_FAULTS:
                say = self._log.info if optional else self._log.error
                say(f"so it is with {count - _MOST_FAULTS} more{' optional' if optional else ''} artifacts")
        return self._errors


def _in_words(error: TaskError, words: str) -> TaskError:
    other = copy(error)
    other.messages = (words,)
    return other
