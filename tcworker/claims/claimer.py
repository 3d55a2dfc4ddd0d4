"""Asks for tasks: one claimWork at a time, and the pauses between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.claims.room import Room, Shortage
from tcworker.client.answers import reading
from tcworker.client.server_time import ServerTime
from tcworker.config import Config
from tcworker.errors import CallFailed, TaskclusterError
from tcworker.host.service import HostService
from tcworker.interfaces import JSON, Exit, ProcessStatus, QueueCalls
from tcworker.json_reading import at
from tcworker.lifecycle import WorkerInputs
from tcworker.retry import Backoff
from tcworker.task.claim import Claim

MOST = 32
"""Tasks that one claimWork may ask for (contracts of the queue, 1.3)."""

PAUSE = 5.0
"""Seconds between two claimWork calls when the first brought nothing."""

LAST_CLAIM = 21.0
"""Seconds that a stopping worker waits for the claimWork in flight: the queue holds it for 20, and an answer that
brings a task at the last moment is still on its way then."""

SHORT_OF_ROOM = 600.0
"""Seconds that a worker without tasks waits for others to make room; the reference worker ends at once (contracts of
generic-worker, 6)."""

UNKNOWN_CLAIM = timedelta(minutes=20)
"""How long a claim lasts that does not say so (contracts of the queue, 1.4)."""

FAILURES = Backoff(first=PAUSE, most=60.0)

NOTHING_SAID = 60.0
"""Seconds at least between two log lines of a worker that waits for tasks (contracts of generic-worker, 6)."""

_log = Logger()


class Claimer:
    """Asks for tasks when it is told to, and tells the machine what came of it.

    @param time: of the queue.
    @param ended: called whenever no claimWork is in flight any more.
    """

    def __init__(
        self,
        clock: IReactorTime,
        time: ServerTime,
        config: Config,
        host: HostService,
        room: Room,
        queue: QueueCalls,
        machine: WorkerInputs,
        ended: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._time = time
        self._config = config
        self._host = host
        self._room = room
        self._queue = queue
        self._machine = machine
        self._ended = ended
        self._asking: Deferred[Callable[[], None]] | None = None
        self._sent = False
        self._lost_before = 0
        self._pause: IDelayedCall | None = None
        self._began = clock.seconds()
        self._said: float | None = None
        self._delays: Iterator[float] = FAILURES.delays()

    @property
    def in_flight(self) -> bool:
        """Whether an answer is still to come."""
        return self._asking is not None

    @property
    def began(self) -> float:
        """When it last began to ask, by the clock."""
        return self._began

    def claim(self, most: int, idle_seconds: float | None) -> None:
        """Ask for tasks, unless that is being done or it is too early.

        @param idle_seconds: for how long nothing has run, C{None} while something does.
        """
        if self._asking is not None or self._pause is not None:
            return
        # The usual time between two calls counts from the beginning: the queue holds a call itself when it is idle.
        self._began, self._sent = self._clock.seconds(), False
        asking = Deferred.fromCoroutine(self._ask(min(most, MOST), idle_seconds))
        self._asking = asking
        # Each of the two says what came of it, and nothing can be said of a failure of theirs but that it is a fault.
        asking.addCallbacks(self._answered, self._failed).addErrback(lambda f: _log.failure("a fault", failure=f))

    def rest(self) -> None:
        """Pause until the usual time between two calls is over."""
        self._delays = FAILURES.delays()
        # Not more, for the clock may have been set back.
        self._wait(min(PAUSE, self._began + PAUSE - self._clock.seconds()))

    def back_off(self) -> None:
        """Pause for longer after each failure in a row."""
        self._wait(next(self._delays))

    def stop(self) -> None:
        """Ask no more; the answer of a claimWork in flight still comes, or is given up after L{LAST_CLAIM}."""
        if self._pause is not None:
            self._pause.cancel()
        self._pause = None
        if self._asking is None:
            return
        if self._sent:
            self._asking.addTimeout(LAST_CLAIM, self._clock)
        else:
            # Host and disk may still be asked: once they answer, no claim may follow.
            self._asking.cancel()

    def give_up(self) -> None:
        """Wait for nothing any more."""
        self.stop()
        if self._asking is not None:
            self._asking.cancel()

    def _wait(self, seconds: float) -> None:
        self._pause = self._clock.callLater(max(0.0, seconds), self._pause_over)

    def _pause_over(self) -> None:
        self._pause = None
        self._machine.pause_over()

    async def _ask(self, most: int, idle_seconds: float | None) -> Callable[[], None]:
        """Do all that belongs to a claim; give the input that says what came of it."""
        if idle_seconds is not None and (exit := await self._idle_exit(idle_seconds)) is not None:
            return lambda: self._machine.must_go(exit)
        if (shortage := await self._room.shortage()) is not None:
            return self._without_room(shortage, idle_seconds or 0)
        self._sent, self._lost_before = True, self._queue.lost_claims
        answer = await self._queue.claim_work(
            self._config.task_queue_id,
            {"workerGroup": self._config.worker_group, "workerId": self._config.worker_id, "tasks": most},
        )
        claims = self._read(answer)
        self._delays = FAILURES.delays()
        if claims:
            return lambda: self._machine.tasks_claimed(claims)
        if idle_seconds is not None:
            self._say_that_nothing_came()
        return self._machine.nothing_claimed

    def _say_that_nothing_came(self) -> None:
        """So that people see that a worker without tasks is well, and what it waits for."""
        now = self._clock.seconds()
        if self._said is None or now - self._said >= NOTHING_SAID:
            _log.info("no task claimed: {queue} has none for this worker", queue=self._config.task_queue_id)
            self._said = now

    async def _idle_exit(self, seconds: float) -> Exit | None:
        if await self._host.should_shut_down_now(seconds):
            return Exit(ProcessStatus.HOST_SAYS_GO, "the host says that the worker is to go")
        timeout = self._config.idle_timeout_secs
        if timeout and seconds >= timeout:
            return Exit(ProcessStatus.IDLE, f"nothing to do for {seconds:.0f} s, idleTimeoutSecs is {timeout}")
        return None

    def _without_room(self, shortage: Shortage, idle_seconds: float) -> Callable[[], None]:
        # No task of ours holds what lacks, and nobody else has given it back: somebody must look at this machine.
        if min(shortage.seconds, idle_seconds) >= SHORT_OF_ROOM:
            exit = Exit(ProcessStatus.INTERNAL_ERROR, f"{shortage.text}, and no task to end")
            return lambda: self._machine.must_go(exit)
        return self._machine.no_room

    def _answered(self, tell: Callable[[], None]) -> None:
        self._asking = None
        tell()
        self._ended()

    def _failed(self, failure: Failure) -> None:
        self._asking = None
        error = failure.value
        if isinstance(error, CallFailed) and error.denies_access:
            refusal = self._refusal(error)
            _log.error("{refusal}", refusal=refusal)
            self._machine.claim_refused(Exit(ProcessStatus.INTERNAL_ERROR, refusal))
        else:
            self._log_failure(failure)
            self._machine.claim_failed()
        self._ended()

    def _refusal(self, error: CallFailed) -> str:
        config = self._config
        refused = f"{config.root_url} refuses the credentials of {self._host.credentials().client_id}"
        if error.status == 401:
            return f"{refused}: {error}"
        return (
            f"{refused}, which need queue:claim-work:{config.task_queue_id} and"
            f" queue:worker-id:{config.worker_group}/{config.worker_id}: {error}"
        )

    def _log_failure(self, failure: Failure) -> None:
        if isinstance(failure.value, TaskclusterError):
            text = "no claim from {url}, trying again: {error}{lost}"
            _log.warn(text, url=self._config.root_url, error=str(failure.value), lost=self._what_is_lost())
        elif not failure.check(CancelledError):
            _log.failure("claiming failed, trying again", failure=failure)

    def _what_is_lost(self) -> str:
        count = self._queue.lost_claims
        return f"; what it may have claimed is lost, {count} such answers so far" if count > self._lost_before else ""

    def _read(self, answer: JSON) -> list[Claim]:
        """The claims of an answer; one that nobody could resolve is logged and left to run out."""
        claims, until = [], datetime.fromtimestamp(self._time.seconds(), UTC) + UNKNOWN_CLAIM
        for claim in reading("claimWork", lambda given: at(given, list, "tasks"), answer):
            try:
                claims.append(Claim.from_json(claim, until))
            except ValueError as error:
                _log.error("a claim that cannot be read, and runs out: {error}", error=str(error))
        return claims
