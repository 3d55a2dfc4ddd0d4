"""The runs of a worker: begun or given back, told what concerns them all, and given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.claims.hand import Hand
from tcworker.claims.slots import Slots
from tcworker.errors import InternalError
from tcworker.interfaces import Credentials, ITaskContext
from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.resolution import Resolution
from tcworker.task.service import TaskService
from tcworker.task.settlement import Settlement
from tcworker.waiting import Loose

_log = Logger()


class Owner(Protocol):
    """Who is told of runs, and when the worker must be gone."""

    @property
    def seconds_left(self) -> float:
        """Until the worker must be gone."""

    def begun(self) -> None:
        """One more run begins."""

    def run_ended(self, resolution: Resolution, /) -> None:
        """Nothing of a run is left here."""

    def given_back(self) -> None:
        """The queue knows of a claim that was not begun, or is told at the next start."""

    def suspect(self, error: InternalError, /) -> None:
        """Something is wrong with the worker itself."""


class Runs:
    """Those of one worker that has booted.

    @param parent: of their services.
    @param watchers: told of each run, before anything happens to it.
    """

    def __init__(
        self,
        facilities: Facilities,
        slots: Slots[TaskService],
        hand: Hand,
        parent: MultiService,
        owner: Owner,
        watchers: Sequence[Callable[[ITaskContext], None]],
    ) -> None:
        self._facilities = facilities
        self._slots = slots
        self._hand = hand
        self._parent = parent
        self._owner = owner
        self._watchers = watchers
        self._loose = Loose(_log)
        self._tasks: set[TaskService] = set()
        self._giving_back = 0

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._tasks)

    @property
    def gone(self) -> bool:
        """Whether there is none, and nothing is being given back."""
        return not (self._tasks or self._giving_back)

    def new_among(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Leave out runs that are in hand: to begin such a one again, or to give it back, would end it."""
        known = {task.claim.name for task in self._tasks}
        wanted: dict[str, Claim] = {}
        for claim in claims:
            if claim.name in known or claim.name in wanted:
                _log.error("claimed again, though it is in hand", run=claim.name)
            else:
                wanted[claim.name] = claim
        return list(wanted.values())

    def begin(self, claim: Claim) -> None:
        """Run a claim, which takes a slot. Raises whatever its beginning fails with: then it is to be given back."""
        if claim.fault is not None:
            raise claim.fault
        task = TaskService(
            claim,
            self._facilities,
            out_of_reach=self._slots.out_of_reach,
            only_cleanup_left=self._slots.leave,
            ended=self._ended,
            suspect=self._owner.suspect,
        )
        self._owner.begun()
        self._tasks.add(task)
        self._slots.take(task)
        self._tell_watchers(task.context)
        task.setServiceParent(self._parent)
        # One that is over already would be in hand for ever.
        if task in self._tasks:
            self._hand.take(task)

    def _tell_watchers(self, context: ITaskContext) -> None:
        for call in tuple(self._watchers):
            try:
                call(context)
            except Exception:
                _log.failure("somebody who watches runs failed", run=context.name)

    def _ended(self, task: TaskService, resolution: Resolution) -> None:
        self._tasks.discard(task)
        self._hand.drop(task)
        self._loose.run(_disown(task), "ending a run")
        self._owner.run_ended(resolution)

    def give_back(self, claim: Claim, resolution: Resolution) -> None:
        """Resolve a claim that was not begun."""
        self._giving_back += 1
        settlement = Settlement(claim, self._facilities, lambda: self._owner.seconds_left)
        giving_back = Deferred.fromCoroutine(settlement.give_back(resolution))
        self._loose.run(giving_back.addBoth(self._given_back), "giving a task back")

    def _given_back(self, result: Failure | None) -> Failure | None:
        self._giving_back -= 1
        self._owner.given_back()
        return result

    def mask_credentials(self, credentials: Credentials) -> None:
        """No log may have new credentials of the worker's own any more than the old ones."""
        self._facilities.mask_credentials(credentials)
        for task in tuple(self._tasks):
            task.mask_credentials(credentials)

    def look_again(self) -> None:
        """Timers came early, or come late: see at once whether each claim is still there."""
        for task in tuple(self._tasks):
            task.look_again()

    def shut_down(self, seconds: float) -> None:
        """End all within so many seconds."""
        for task in tuple(self._tasks):
            task.shut_down(seconds)

    def give_up(self) -> None:
        """Drop all; their state stays on disk."""
        for task in tuple(self._tasks):
            _log.warn("given up; the next start with this state directory deals with it", run=task.claim.name)
            self._loose.run(_disown(task), "giving up a run")

    def cancel(self) -> Deferred[None]:
        """Cancel what is done beside the runs; fires when that has ended."""
        return self._loose.cancel()


def _disown(task: TaskService) -> Deferred[None]:
    return maybeDeferred(task.disownServiceParent)
