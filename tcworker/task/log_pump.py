"""Keeps up with something that grows: little at a time where it is called, much in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.waiting import Executor, OneShot

_log = Logger()

T = TypeVar("T")

SMALL = 64 * 1024
"""Up to so many bytes a hop to a thread and back costs more than the work itself."""


class Pump(Generic[T]):
    """Does some work, one step at a time, until it has caught up with what is there.

    @param behind: how many bytes are still to be dealt with.
    @param step: deals with some of them, perhaps in a thread.
    @param done: is given what a step returned, never in a thread.
    @param broke: is given a step's failure; the pump then rests for ever.
    @param at_once: up to so many bytes the work is done where it is called.
    """

    def __init__(
        self,
        threads: Executor,
        behind: Callable[[], int],
        step: Callable[[], T],
        done: Callable[[T], None],
        broke: Callable[[Failure], None],
        at_once: int = SMALL,
    ) -> None:
        self._threads = threads
        self._behind = behind
        self._step = step
        self._done = done
        self._broke = broke
        self._at_once = at_once
        self._busy = False
        self._ended = False
        self._idle: OneShot[None] | None = None

    def kick(self) -> None:
        """Catch up, unless it is doing so already."""
        # What a step hands on may call this again; the one under way then goes on with what is new.
        while not (self._busy or self._ended):
            behind = self._behind()
            if behind <= 0:
                break
            self._busy = True
            if behind <= self._at_once:
                self._here()
            else:
                self._threads.run(self._step).addCallback(self._back).addErrback(self._fail)
        self._rest()

    def caught_up(self) -> Deferred[None]:
        """Kick, and fire when there is nothing left to do."""
        idle = self._idle = self._idle or OneShot()
        waiting = idle.wait()
        self.kick()
        return waiting

    def stop(self) -> Deferred[None]:
        """Do no further step; fires when the one under way is over."""
        self._ended = True
        return self.caught_up()

    def _here(self) -> None:
        try:
            result = self._step()
        except Exception:
            self._fail(Failure())
        else:
            self._busy = False
            self._done(result)

    def _back(self, result: T) -> None:
        self._busy = False
        self._done(result)
        self.kick()

    def _fail(self, failure: Failure) -> None:
        self._busy, self._ended = False, True
        try:
            self._broke(failure)
        except Exception:
            _log.failure("what became of a step's failure is not known")
        # Whoever waits for the end must get it, or a run would never be resolved.
        self._rest()

    def _rest(self) -> None:
        if not self._busy and self._idle is not None:
            idle, self._idle = self._idle, None
            idle.succeed(None)
