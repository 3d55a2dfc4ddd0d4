"""Carries out what the machine of the worker decides, from boot to exit, and tells it what came of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self._booting: Deferred[Facilities] | None = None
        self._failure: Failure | None = None
        self._quota: Quota | None = None
        self._claimer: Claimer | None = None
        self._holds: list[Hold] = []
        self._room: Room | None = None
        self._errors = InternalErrors(clock, 0)
        self._watchers: list[Callable[[ITaskContext], None]] = []
        self._slots: Slots[TaskService] | None = None
        self._runs: Runs | None = None
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
        beside = [self._loose.cancel(), *([] if self._runs is None else [self._runs.cancel()])]
        return gatherResults([dropped, *beside], consumeErrors=True).addCallback(lambda _: None)

    def configured(self, config: Config) -> None:
        """The configuration is known, though not everything that it names is there yet."""
        self._grace.usual = config.shutdown_grace_secs

    def hold_back(self, hold: Hold) -> None:
        """Claim nothing while somebody has a reason for that; to be said before the first claim."""
        self._holds.append(hold)

    async def _boot_whole(self) -> Facilities:
        facilities = await self._boot()
        self._quota = await Quota.open(facilities.state, facilities.config.number_of_tasks_to_run)
        return facilities

    def _has_booted(self, facilities: Facilities) -> None:
        self._booting = None
        config, queue = facilities.config, facilities.new_queue(self._host.credentials)
        self._slots = Slots(config.capacity, config.overlap_uploads, self._machine.slot_freed)
        self._runs = Runs(facilities, self._slots, self.hand, self, self, self._watchers)
        self._host.on_credentials(self._runs.mask_credentials)
        self._errors = InternalErrors(self._clock, config.max_internal_errors)
        holds, clock = [*self._holds, self._errors.why_held], self._clock
        self._room = room = Room(clock, config, facilities.threads, holds, facilities.collector)
        time, ended = facilities.time, self._see_whether_gone
        claimer = Claimer(clock, time, config, self._host, room, queue, self._machine, ended)
        self.health.add(claims_enough(self._clock.seconds, self._could_claim, lambda: claimer.began))
        self._claimer = claimer
        self._idle_since = self._clock.seconds()
        self._machine.booted()
        self._booted.succeed(facilities.config)
        self._see_whether_count_reached()
        self._see_whether_gone()

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
        if self._runs is not None:
            self._runs.look_again()

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
        return self._room.lack if self._room is not None else ""

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
        assert self._claimer is not None and self._runs is not None
        free = self._free_slots()
        if free > 0:
            self._claimer.claim(free, None if self._runs.any else self._clock.seconds() - self._idle_since)
        elif not self._claimer.in_flight:
            self._machine.slots_taken()

    def _free_slots(self) -> int:
        assert self._slots is not None and self._quota is not None
        free, left = self._errors.claimable(self._slots.free), self._quota.left
        return free if left is None else min(free, left)

    def _could_claim(self) -> bool:
        return self._state == "claiming" and self._free_slots() > 0

    def rest(self) -> None:
        """See L{WorkerActions.rest}."""
        assert self._claimer is not None
        self._claimer.rest()

    def back_off(self) -> None:
        """See L{WorkerActions.back_off}."""
        assert self._claimer is not None
        self._claimer.back_off()

    def start(self, claims: Sequence[Claim]) -> None:
        """See L{WorkerActions.start}."""
        assert self._runs is not None
        # More than was asked for is a fault of the queue's, and another worker's luck.
        claims, free = self._runs.new_among(claims), self._free_slots()
        self.turn_away(claims[free:])
        for claim in claims[:free]:
            try:
                self._runs.begin(claim)
                self._errors.began()
            except Exception:
                # A claim that is not begun is given back: nobody else could until it runs out.
                error = as_task_error(Failure(), claim.name, "beginning the run")
                _log.error("cannot begin: {error}", error=str(error), run=claim.name)
                self._runs.give_back(claim, resolution_of(error))
                self._learn_from(resolution_of(error))

    def begun(self) -> None:
        """See L{tcworker.claims.runs.Owner.begun}."""
        assert self._quota is not None
        self._loose.run(self._quota.begin(), "counting a task")

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
        self._errors.ended(resolution)
        if (exit := self._errors.exit()) is not None and not self._why:
            self.drain(None, exit)

    def _see_whether_count_reached(self) -> None:
        assert self._quota is not None and self._runs is not None
        # Those that it has begun may end first.
        if self._quota.left == 0 and not self._runs.any:
            self._machine.count_reached(self._quota.exit())

    def turn_away(self, claims: Sequence[Claim]) -> None:
        """See L{WorkerActions.turn_away}."""
        assert self._runs is not None
        for claim in self._runs.new_among(claims):
            _log.info("turned away: there is no slot for it any more", run=claim.name)
            self._runs.give_back(claim, WORKER_SHUTDOWN)

    def stop_claiming(self, exit: Exit) -> None:
        """See L{WorkerActions.stop_claiming}."""
        self._why = exit.why
        if self._booting is not None:
            self._booting.cancel()
        if self._claimer is not None:
            self._claimer.stop()
        self._see_whether_gone()

    def stop_tasks(self) -> None:
        """See L{WorkerActions.stop_tasks}."""
        if self._runs is not None:
            self._runs.shut_down(self._grace.left)
        self._see_whether_gone()

    def limit_drain(self, seconds: float | None) -> None:
        """See L{WorkerActions.limit_drain}."""
        self._grace.limit_drain(seconds)

    def limit(self, seconds: float | None) -> None:
        """See L{WorkerActions.limit}."""
        self._grace.limit(seconds)

    def _see_whether_gone(self) -> None:
        in_flight = self._claimer is not None and self._claimer.in_flight
        if not (in_flight or self._booting) and (self._runs is None or self._runs.gone):
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
        if self._closing is None and self._runs is not None:
            self._runs.give_up()
        self.close(exit)

    def ended(self, exit: Exit) -> None:
        """See L{WorkerActions.ended}."""
        self._grace.end()
        if self._claimer is not None:
            self._claimer.give_up()
        if self._failure is not None:
            self._stopped.fail(self._failure)
        else:
            self._stopped.succeed(exit)
