"""The last words on a task: how it ended, and where what it made is now."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

from tcworker.errors import TaskclusterError
from tcworker.local_run.artifacts import Downloads, Fetched
from tcworker.local_run.definitions import LocalTask
from tcworker.local_run.outcomes import Outcome
from tcworker.local_run.output import YELLOW, Output
from tcworker.task.resolution import DECIDED_BY_QUEUE


class Closing:
    """Fetches each task's artifacts and prints its last line.

    @param folder: for artifacts, of several tasks in folders by their names; C{None} for a new one.
    """

    def __init__(self, tasks: Sequence[LocalTask], downloads: Downloads, output: Output, folder: str | None) -> None:
        self._several = len(tasks) > 1
        self._group_name = tasks[0].name
        self._downloads = downloads
        self._output = output
        self._folder = folder
        self._late: list[Outcome] = []

    async def resolved(self, outcome: Outcome) -> None:
        """Close a task that is resolved, unless the worker still publishes what is left of it."""
        # The queue has decided before the worker knew: log and artifacts are still on their way.
        if outcome.resolution in DECIDED_BY_QUEUE and outcome.run is not None:
            self._late.append(outcome)
        else:
            await self._close(outcome)

    async def worker_stopped(self) -> None:
        """Close the others: nothing more will be published."""
        for outcome in self._late:
            await self._close(outcome)

    async def _close(self, outcome: Outcome) -> None:
        place = await self._fetch(outcome)
        self._output.say(f"{outcome}{place}", outcome.colour)

    async def _fetch(self, outcome: Outcome) -> str:
        if outcome.run is None:
            return ""
        folder = self._folder_of(outcome.task)
        try:
            fetched = await self._downloads.fetch(outcome.task.task_id, outcome.run["runId"], folder)
        except TaskclusterError as error:
            # The task is over and its status known: that it cannot be fetched changes neither.
            fetched = Fetched(problems=[str(error)])
        for problem in fetched.problems:
            self._output.say(f"{outcome.task.name}: artifact {problem}", YELLOW)
        return f"; artifacts in {folder}" if fetched.files else ""

    def _folder_of(self, task: LocalTask) -> str:
        if self._folder is None:
            # Only now: a command whose tasks never ran leaves no empty folder.
            self._folder = tempfile.mkdtemp(prefix=f"tcworker-{self._group_name}-")
        return os.path.join(self._folder, task.name) if self._several else self._folder
