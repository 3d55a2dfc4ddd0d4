"""The machine of a worker: booting, claiming, running, draining, stopping, stopped.

It decides and does nothing else: what happens is in L{WorkerActions}, which must not raise and which answer by calling
inputs. Every state handles every input: the table is at the foot of this module and, as one, in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from automat import TypeMachineBuilder

from tcworker.interfaces import Exit
from tcworker.task.claim import Claim


class WorkerInputs(Protocol):
    """What can happen to a worker."""

    def booted(self) -> None:
        """Configuration, state and platforms are there."""

    def boot_failed(self, exit: Exit) -> None:
        """They cannot be had."""

    def tasks_claimed(self, claims: Sequence[Claim]) -> None:
        """The claimWork in flight was answered with at least one task."""

    def nothing_claimed(self) -> None:
        """It was answered with none."""

    def claim_failed(self) -> None:
        """It was not answered, or with an error that may pass."""

    def claim_refused(self, exit: Exit) -> None:
        """Taskcluster refuses these credentials."""

    def slots_taken(self) -> None:
        """Every slot has a task, or as many tasks as the worker is to run have been claimed."""

    def slot_freed(self) -> None:
        """A slot can take another task."""

    def pause_over(self) -> None:
        """It is time for the next claim."""

    def no_room(self) -> None:
        """There is too little disk or memory for another task."""

    def count_reached(self, exit: Exit) -> None:
        """As many tasks as the worker is to run are done."""

    def must_go(self, exit: Exit) -> None:
        """The worker is to go: it had no task, or no room for one, for too long, or the host says so."""

    def drain(self, seconds: float | None, exit: Exit) -> None:
        """Take no more tasks and go when the running ones are done, after so many seconds at the latest."""

    def stop_now(self, seconds: float | None, exit: Exit) -> None:
        """End the running tasks and go, within so many seconds, C{None}: as many as are configured."""

    def grace_passed(self) -> None:
        """The seconds given are over."""

    def tasks_gone(self) -> None:
        """No task is left, no claimWork is in flight and nothing boots."""

    def closed(self) -> None:
        """All that the worker had open is closed."""


class _State(Protocol):
    name: str


class WorkerActions(Protocol):
    """What a machine can have done. None of these may raise."""

    def entered(self, state: str) -> None:
        """The worker is in another state now; said before all else that belongs to it."""

    def claim(self) -> None:
        """Ask for tasks for the free slots, unless that is being done or paused."""

    def back_off(self) -> None:
        """Claim again after a pause that grows with each failure in a row."""

    def rest(self) -> None:
        """Claim again after the usual pause."""

    def start(self, claims: Sequence[Claim]) -> None:
        """Run these tasks."""

    def turn_away(self, claims: Sequence[Claim]) -> None:
        """Resolve these as worker-shutdown at once, so that the queue gives them to another worker."""

    def stop_claiming(self, exit: Exit) -> None:
        """No more claims, no boot, for this reason; answers C{tasks_gone}, now or when that comes true."""

    def stop_tasks(self) -> None:
        """End what runs, within the time that is left; answers C{tasks_gone}, now or when that comes true."""

    def limit_drain(self, seconds: float | None) -> None:
        """C{grace_passed} comes so early that stopping the tasks still fits into so many seconds; C{None}: never."""

    def limit(self, seconds: float | None) -> None:
        """C{grace_passed} comes after so many seconds (C{None}: those configured), or earlier if it already would."""

    def close(self, exit: Exit) -> None:
        """Close everything else, unless that has begun; answers C{closed}."""

    def give_up(self, exit: Exit) -> None:
        """Drop what runs, whose state stays on disk, and close everything else; answers C{closed}."""

    def ended(self, exit: Exit) -> None:
        """The worker is over."""


@dataclass
class WorkerCore:
    """What the machine knows of a worker.

    @ivar exit: why it goes; the first reason stays.
    """

    actions: WorkerActions
    exit: Exit | None = None

    def go(self, exit: Exit) -> None:
        """Note why it goes, and claim no more."""
        self.exit = self.exit or exit
        self.actions.stop_claiming(self.exit)

    @property
    def why(self) -> Exit:
        """Why it goes, once it does."""
        return self.exit or Exit(0, "stopped")


def _claim(machine: WorkerInputs, core: WorkerCore) -> None:
    core.actions.claim()


def _start(machine: WorkerInputs, core: WorkerCore, claims: Sequence[Claim]) -> None:
    core.actions.start(claims)
    core.actions.claim()


def _turn_away(machine: WorkerInputs, core: WorkerCore, claims: Sequence[Claim]) -> None:
    core.actions.turn_away(claims)


def _rest(machine: WorkerInputs, core: WorkerCore) -> None:
    core.actions.rest()


def _back_off(machine: WorkerInputs, core: WorkerCore) -> None:
    core.actions.back_off()


def _go(machine: WorkerInputs, core: WorkerCore, exit: Exit) -> None:
    core.go(exit)


def _drain(machine: WorkerInputs, core: WorkerCore, seconds: float | None, exit: Exit) -> None:
    core.actions.limit_drain(seconds)
    core.go(exit)


def _shorten_drain(machine: WorkerInputs, core: WorkerCore, seconds: float | None, exit: Exit) -> None:
    core.actions.limit_drain(seconds)


def _stop(machine: WorkerInputs, core: WorkerCore, seconds: float | None, exit: Exit) -> None:
    core.actions.limit(seconds)
    core.go(exit)
    core.actions.stop_tasks()


def _shorten(machine: WorkerInputs, core: WorkerCore, seconds: float | None, exit: Exit) -> None:
    core.actions.limit(seconds)
    core.actions.stop_tasks()


def _drained_too_long(machine: WorkerInputs, core: WorkerCore) -> None:
    core.actions.limit(None)
    core.actions.stop_tasks()


def _close(machine: WorkerInputs, core: WorkerCore) -> None:
    core.actions.close(core.why)


def _give_up(machine: WorkerInputs, core: WorkerCore) -> None:
    core.actions.give_up(core.why)


def _leave(machine: WorkerInputs, core: WorkerCore) -> None:
    core.actions.ended(core.why)


_builder = TypeMachineBuilder(WorkerInputs, WorkerCore)

booting = _builder.state("booting")
claiming = _builder.state("claiming")
running = _builder.state("running")
draining = _builder.state("draining")
stopping = _builder.state("stopping")
stopped = _builder.state("stopped")

booting.upon(WorkerInputs.booted).to(claiming)(_claim)
booting.upon(WorkerInputs.boot_failed).to(stopping)(_go)
booting.upon(WorkerInputs.drain).to(stopping)(_drain)
booting.upon(WorkerInputs.stop_now).to(stopping)(_stop)

claiming.upon(WorkerInputs.tasks_claimed).loop()(_start)
claiming.upon(WorkerInputs.nothing_claimed).loop()(_rest)
claiming.upon(WorkerInputs.claim_failed).loop()(_back_off)
claiming.upon(WorkerInputs.claim_refused).to(draining)(_go)
claiming.upon(WorkerInputs.slots_taken).to(running).returns(None)
claiming.upon(WorkerInputs.slot_freed).loop()(_claim)
claiming.upon(WorkerInputs.pause_over).loop()(_claim)
claiming.upon(WorkerInputs.no_room).loop()(_rest)
claiming.upon(WorkerInputs.count_reached).to(draining)(_go)
claiming.upon(WorkerInputs.must_go).to(draining)(_go)
claiming.upon(WorkerInputs.drain).to(draining)(_drain)
claiming.upon(WorkerInputs.stop_now).to(stopping)(_stop)

running.upon(WorkerInputs.tasks_claimed).loop()(_start)
running.upon(WorkerInputs.slot_freed).to(claiming)(_claim)
running.upon(WorkerInputs.count_reached).to(draining)(_go)
running.upon(WorkerInputs.drain).to(draining)(_drain)
running.upon(WorkerInputs.stop_now).to(stopping)(_stop)

draining.upon(WorkerInputs.tasks_claimed).loop()(_turn_away)
draining.upon(WorkerInputs.drain).loop()(_shorten_drain)
draining.upon(WorkerInputs.stop_now).to(stopping)(_shorten)
draining.upon(WorkerInputs.grace_passed).to(stopping)(_drained_too_long)
draining.upon(WorkerInputs.tasks_gone).to(stopping)(_close)

stopping.upon(WorkerInputs.tasks_claimed).loop()(_turn_away)
stopping.upon(WorkerInputs.stop_now).loop()(_shorten)
stopping.upon(WorkerInputs.grace_passed).loop()(_give_up)
stopping.upon(WorkerInputs.tasks_gone).loop()(_close)
stopping.upon(WorkerInputs.closed).to(stopped)(_leave)

# What means nothing in a state: it is over, cannot be yet, or no longer matters.
_MEANINGLESS = {
    booting: "tasks_claimed nothing_claimed claim_failed claim_refused slots_taken slot_freed pause_over no_room"
    " count_reached must_go grace_passed tasks_gone closed",
    claiming: "booted boot_failed grace_passed tasks_gone closed",
    running: "booted boot_failed nothing_claimed claim_failed claim_refused slots_taken pause_over no_room"
    " must_go grace_passed tasks_gone closed",
    draining: "booted boot_failed nothing_claimed claim_failed claim_refused slots_taken slot_freed pause_over"
    " no_room count_reached must_go closed",
    stopping: "booted boot_failed nothing_claimed claim_failed claim_refused slots_taken slot_freed pause_over"
    " no_room count_reached must_go drain",
    stopped: "booted boot_failed tasks_claimed nothing_claimed claim_failed claim_refused slots_taken slot_freed"
    " pause_over no_room count_reached must_go drain stop_now grace_passed tasks_gone closed",
}
for _state, _names in _MEANINGLESS.items():
    for _name in _names.split():
        _state.upon(getattr(WorkerInputs, _name)).loop().returns(None)

_machine: Callable[[WorkerCore], WorkerInputs] = _builder.build()


def new_worker_machine(actions: WorkerActions) -> WorkerInputs:
    """A machine for one worker that begins to boot."""
    machine = _machine(WorkerCore(actions))

    def told(before: _State, name: str, after: _State) -> None:
        if after is not before:
            actions.entered(after.name)

    machine.__automat_transitioner__.setTrace(told)  # type: ignore[attr-defined]  # Automat has no public way
    return machine
