"""Carries out what the machine of the worker decides, from boot to exit, and tells it what came of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.claims.claimer import Claimer
from tcworker.claims.grace import Grace
from tcworker.claims.hand import Hand
from tcworker.claims.internal_errors import InternalErrors
from tcworker.claims.quota import Quota
from tcworker.claims.room import Hold, Room
from tcworker.claims.runs import Runs
from tcworker.claims.slots import Slots
from tcworker.claims.standing import Standing
from tcworker.clocks import wall_seconds
from tcworker.config import Config
from tcworker.errors import ConfigError, InternalError
from tcworker.host.service import HostService
from tcworker.interfaces import Exit, ITaskContext, ProcessStatus, Unsubscribe
from tcworker.lifecycle import new_worker_machine
from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.outcome import as_task_error
from tcworker.task.resolution import WORKER_SHUTDOWN, Resolution, resolution_of
from tcworker.task.service import TaskService
from tcworker.waiting import Loose, OneShot
from tcworker.watch.health import Health, claims_enough

_log = Logger()


@dataclass(frozen=True)
class _Booted:
    """What a worker has once it has booted."""

    claimer: Claimer
    room: Room
    quota: Quota
    errors: InternalErrors
    slots: Slots[TaskService]
    runs: Runs

    @property
    def free_slots(self) -> int:
        """How many more tasks it may ask for now."""
        free, left = self.errors.claimable(self.slots.free), self.quota.left
        return free if left is None else min(free, left)


class ClaimService(MultiService):
    """Claims tasks and runs them until it is told to go; implements L{tcworker.lifecycle.WorkerActions}.

    @param close: closes all else of the worker, last of all; given why it ends.
    @ivar hand: is to be told of runs that the queue has ended.
    @ivar health: says whether the worker is well.
    """

    def __init__(
        self,
        clock: IReactorTime,
        host: HostService,
        boot: Callable[[], Deferred[Facilities]],
        close: Callable[[Exit], Deferred[None]],
    ) -> None:
        super().__init__()
        self._clock = clock
        self._host = host
        self._boot = boot
        self._close = close
        self.hand = Hand(clock)
        self.health = Health()
        self._loose = Loose(_log)
        self._state, self._since = "booting", clock.seconds()
        self._why = ""
        self._machine = new_worker_machine(self)
        self._booted: OneShot[Config] = OneShot()
        self._stopped: OneShot[Exit] = OneShot()
        self._booting: Deferred[tuple[Facilities, Quota]] | None = None
        self._failure: Failure | None = None
        self._parts: _Booted | None = None
        self._holds: list[Hold] = []
        self._watchers: list[Callable[[ITaskContext], None]] = []
        self._idle_since = clock.seconds()
        self._closing: Deferred[None] | None = None
        self._grace = Grace(clock, self._machine.grace_passed)

    def startService(self) -> None:
        """Boot, then claim, unless it has been told to go before."""
        super().startService()
        if self._state == "booting":
            self._begin_to_boot()

    def _begin_to_boot(self) -> None:
        self._booting = Deferred.fromCoroutine(self._boot_whole())
        self._loose.run(self._booting.addCallback(self._has_booted).addErrback(self._boot_failed), "booting")

    def stopService(self) -> Deferred[None]:
        """Drop what is still being done, which after L{when_stopped} is nothing."""
        dropped: Deferred[Any] = super().stopService()
        beside = [self._loose.cancel(), *([] if self._parts is None else [self._parts.runs.cancel()])]
        return gatherResults([dropped, *beside], consumeErrors=True).addCallback(lambda _: None)

    def configured(self, config: Config) -> None:
        """The configuration is known, though not everything that it names is there yet."""
        self._grace.usual = config.shutdown_grace_secs

    def hold_back(self, hold: Hold) -> None:
        """Claim nothing while somebody has a reason for that; to be said before the first claim."""
        self._holds.append(hold)

    async def _boot_whole(self) -> tuple[Facilities, Quota]:
        facilities = await self._boot()
        return facilities, await Quota.open(facilities.state, facilities.config.number_of_tasks_to_run)

    def _has_booted(self, booted: tuple[Facilities, Quota]) -> None:
        self._booting = None
        facilities, quota = booted
        self._parts = self._new_parts(facilities, quota)
        self._idle_since = self._clock.seconds()
        self._machine.booted()
        self._booted.succeed(facilities.config)
        self._see_whether_count_reached()
        self._see_whether_gone()

    def _new_parts(self, facilities: Facilities, quota: Quota) -> _Booted:
        clock, config, host = self._clock, facilities.config, self._host
        slots: Slots[TaskService] = Slots(config.capacity, config.overlap_uploads, self._machine.slot_freed)
        runs = Runs(facilities, slots, self.hand, self, self, self._watchers)
        host.on_credentials(runs.mask_credentials)
        errors = InternalErrors(clock, config.max_internal_errors)
        room = Room(clock, config, facilities.threads, [*self._holds, errors.why_held], facilities.collector)
        queue, ended = facilities.new_queue(host.credentials), self._see_whether_gone
        claimer = Claimer(clock, facilities.time, config, host, room, queue, self._machine, ended)
        self.health.add(claims_enough(clock.seconds, self._could_claim, lambda: claimer.began))
        return _Booted(claimer, room, quota, errors, slots, runs)

    @property
    def _there(self) -> _Booted:
        """The parts, when there must be some."""
        assert self._parts is not None
        return self._parts

    def _boot_failed(self, failure: Failure) -> None:
        self._booting = None
        if not failure.check(CancelledError):
            self._note_failure(failure)
        self._booted.fail(failure)
        status = failure.value.exit_status if isinstance(failure.value, ConfigError) else ProcessStatus.INTERNAL_ERROR
        self._machine.boot_failed(Exit(status, str(failure.value)))
        self._see_whether_gone()

    def _note_failure(self, failure: Failure) -> None:
        if self._state == "booting":
            self._failure = failure
        else:
            # That it was told to go stays the reason.
            _log.failure("the boot failed while it was given up", failure=failure)

    def drain(self, seconds: float | None, exit: Exit) -> None:
        """Claim no more and go when what runs is done, after so many seconds at the latest."""
        _log.info("draining: {why}", why=exit.why)
        self._machine.drain(seconds, exit)

    def shut_down(self, seconds: float | None, exit: Exit) -> None:
        """End what runs and go, within so many seconds; C{None}: as many as are configured."""
        if not self._stopped.fired:
            _log.info("stopping: {why}", why=exit.why)
        self._machine.stop_now(seconds, exit)

    def canceled(self, task_id: str) -> None:
        """The queue cancelled a task; nothing happens if it does not run here."""
        self.hand.canceled(task_id)

    def look_again(self) -> None:
        """Timers came early, or come late: see at once whether each claim is still there."""
        if self._parts is not None:
            self._parts.runs.look_again()

    def when_booted(self) -> Deferred[Config]:
        """Fire with the configuration when the first claim is made; fails with what prevented that."""
        return self._booted.wait()

    def when_stopped(self) -> Deferred[Exit]:
        """Fire when all is closed; fails with what prevented the boot."""
        return self._stopped.wait()

    def watch_runs(self, call: Callable[[ITaskContext], None]) -> Unsubscribe:
        """Be told of each run, before anything happens to it."""
        self._watchers.append(call)
        return lambda: self._watchers.remove(call) if call in self._watchers else None

    @property
    def failed(self) -> bool:
        """Whether the boot failed; whoever asks L{when_stopped} learns of what."""
        return self._failure is not None

    @property
    def standing(self) -> Standing:
        """How the worker stands now."""
        left = self._grace.left if self._grace.limited else None
        runs = [(run.claim, since) for run, since in self.hand.runs]
        ahead = wall_seconds(self._clock) - self._clock.seconds()
        return Standing(self._state, self._since, self._why, left, runs, ahead)

    @property
    def held_back(self) -> str:
        """Why nothing is claimed though there is a free slot, when it was last looked at; nothing if it may be."""
        return self._parts.room.lack if self._parts is not None else ""

    @property
    def seconds_left(self) -> float:
        """Until the worker must be gone; those configured while nobody has said."""
        return self._grace.left

    def watch_deadline(self, call: Callable[[float], None]) -> None:
        """Be told in how many seconds the worker must be gone, and again when they become less."""
        self._grace.watch(call)

    # What the machine can have done.

    def entered(self, state: str) -> None:
        """See L{WorkerActions.entered}."""
        self._state, self._since = state, self._clock.seconds()

    def claim(self) -> None:
        """See L{WorkerActions.claim}."""
        there = self._there
        free = there.free_slots
        if free > 0:
            there.claimer.claim(free, None if there.runs.any else self._clock.seconds() - self._idle_since)
        elif not there.claimer.in_flight:
            self._machine.slots_taken()

    def _could_claim(self) -> bool:
        return self._state == "claiming" and self._there.free_slots > 0

    def rest(self) -> None:
        """See L{WorkerActions.rest}."""
        self._there.claimer.rest()

    def back_off(self) -> None:
        """See L{WorkerActions.back_off}."""
        self._there.claimer.back_off()

    def start(self, claims: Sequence[Claim]) -> None:
        """See L{WorkerActions.start}."""
        there = self._there
        # More than was asked for is a fault of the queue's, and another worker's luck.
        claims, free = there.runs.new_among(claims), there.free_slots
        self.turn_away(claims[free:])
        for claim in claims[:free]:
            try:
                there.runs.begin(claim)
                there.errors.began()
            except Exception:
                # A claim that is not begun is given back: nobody else could until it runs out.
                error = as_task_error(Failure(), claim.name, "beginning the run")
                _log.error("cannot begin: {error}", error=str(error), run=claim.name)
                there.runs.give_back(claim, resolution_of(error))
                self._learn_from(resolution_of(error))

    def begun(self) -> None:
        """See L{tcworker.claims.runs.Owner.begun}."""
        self._loose.run(self._there.quota.begin(), "counting a task")

    def run_ended(self, resolution: Resolution) -> None:
        """See L{tcworker.claims.runs.Owner.run_ended}."""
        self._idle_since = self._clock.seconds()
        self._learn_from(resolution)
        self._see_whether_count_reached()
        self._see_whether_gone()

    def given_back(self) -> None:
        """See L{tcworker.claims.runs.Owner.given_back}."""
        self._see_whether_gone()

    def suspect(self, error: InternalError) -> None:
        """See L{tcworker.claims.runs.Owner.suspect}."""
        self.drain(None, Exit(ProcessStatus.INTERNAL_ERROR, f"internal error: {error}"))

    def _learn_from(self, resolution: Resolution) -> None:
        errors = self._there.errors
        errors.ended(resolution)
        if (exit := errors.exit()) is not None and not self._why:
            self.drain(None, exit)

    def _see_whether_count_reached(self) -> None:
        there = self._there
        # Those that it has begun may end first.
        if there.quota.left == 0 and not there.runs.any:
            self._machine.count_reached(there.quota.exit())

    def turn_away(self, claims: Sequence[Claim]) -> None:
        """See L{WorkerActions.turn_away}."""
        runs = self._there.runs
        for claim in runs.new_among(claims):
            _log.info("turned away: there is no slot for it any more", run=claim.name)
            runs.give_back(claim, WORKER_SHUTDOWN)

    def stop_claiming(self, exit: Exit) -> None:
        """See L{WorkerActions.stop_claiming}."""
        self._why = exit.why
        if self._booting is not None:
            self._booting.cancel()
        if self._parts is not None:
            self._parts.claimer.stop()
        self._see_whether_gone()

    def stop_tasks(self) -> None:
        """See L{WorkerActions.stop_tasks}."""
        if self._parts is not None:
            self._parts.runs.shut_down(self._grace.left)
        self._see_whether_gone()

    def limit_drain(self, seconds: float | None) -> None:
        """See L{WorkerActions.limit_drain}."""
        self._grace.limit_drain(seconds)

    def limit(self, seconds: float | None) -> None:
        """See L{WorkerActions.limit}."""
        self._grace.limit(seconds)

    def _see_whether_gone(self) -> None:
        parts = self._parts
        if not self._booting and (parts is None or (parts.runs.gone and not parts.claimer.in_flight)):
            self._machine.tasks_gone()

    def close(self, exit: Exit) -> None:
        """See L{WorkerActions.close}."""
        if self._closing is None:
            self._closing = Deferred.fromCoroutine(self._close_all(exit))
            self._loose.run(self._closing, "closing")

    async def _close_all(self, exit: Exit) -> None:
        try:
            await self._close(exit)
        finally:
            self._machine.closed()

    def give_up(self, exit: Exit) -> None:
        """See L{WorkerActions.give_up}."""
        if self._closing is None and self._parts is not None:
            self._parts.runs.give_up()
        self.close(exit)

    def ended(self, exit: Exit) -> None:
        """See L{WorkerActions.ended}."""
        self._grace.end()
        if self._parts is not None:
            self._parts.claimer.give_up()
        if self._failure is not None:
            self._stopped.fail(self._failure)
        else:
            self._stopped.succeed(exit)
