"""How many tasks a worker may run before it goes: C{numberOfTasksToRun}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed

from tcworker.interfaces import Exit, ProcessStatus
from tcworker.state import RunStore


class Quota:
    """Counts the tasks that begin, against the number that is configured.

    The count outlives the worker: the reference worker compares with a persisted one, too, but neither claims nor ends
    when it is started with the number already reached (contracts of generic-worker, 6). A task counts from its
    beginning, however it ends: a machine that is to run one task never runs parts of two. A start without a number
    forgets the count, so that one that is set later begins at nothing.

    @param most: as configured, 0 for any number.
    @param begun: how many tasks the worker and those before it have begun.
    """

    def __init__(self, state: RunStore, most: int, begun: int) -> None:
        self._state = state
        self._most = most
        self._begun = begun

    @classmethod
    async def open(cls, state: RunStore, most: int) -> Quota:
        """Go on counting, or forget the count if no number is configured. Fails as the state store does."""
        if most:
            return cls(state, most, await state.tasks_counted())
        await state.count_anew()
        return cls(state, most, 0)

    @property
    def left(self) -> int | None:
        """How many tasks may still begin; C{None} for any number."""
        return max(0, self._most - self._begun) if self._most else None

    def begin(self) -> Deferred[None]:
        """One more begins; fires when that is remembered."""
        self._begun += 1
        # What nobody asks for is not worth a write for each task.
        return self._state.count_task() if self._most else succeed(None)

    def exit(self) -> Exit:
        """Why a worker goes that has no task left to begin."""
        why = f"numberOfTasksToRun is {self._most}, and {self._begun} began here"
        return Exit(ProcessStatus.DONE, f"{why}: raise it, or start once without it, to run more")
