"""Who waits in claimWork, and in what order they are served (contracts of the queue, 1.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.embedded.queue.worker_store import WorkerKey
from tcworker.interfaces import JSON
from tcworker.waiting import Loose

Claims = Sequence[JSON]

CLAIMS_AT_ONCE = 32
"""Claims that are made in one look at the most: as many as one worker may ask for."""


@dataclass(frozen=True)
class ClaimRequest:
    """What somebody in claimWork asks for.

    @ivar count: of tasks, at the most.
    @ivar new: whether nobody has looked after them yet.
    """

    worker: WorkerKey
    count: int
    new: bool = True


Take = Callable[[str, Sequence[ClaimRequest]], Awaitable[Sequence[Claims | None]]]
"""Makes claims for those who ask of a task queue, in their order, L{CLAIMS_AT_ONCE} in all; C{None} for who is to get
nothing, now or later."""


@dataclass(eq=False)
class _Waiter:
    """Somebody in claimWork.

    @ivar in_hand: whether something is being claimed for them: then it is too late to send them away.
    @ivar over: whether their time is over.
    """

    request: ClaimRequest
    answer: Deferred[Claims] = field(default_factory=Deferred)
    in_hand: bool = False
    over: bool = False

    def send_away(self) -> None:
        """Let them go, with nothing unless something is being claimed for them."""
        self.over = True
        if not self.in_hand and not self.answer.called:
            self.answer.callback([])


class Polls:
    """Lets workers wait for tasks: whoever came first is served first, and all who wait are served together.

    @param seconds: how long somebody waits for a task.
    """

    def __init__(self, clock: IReactorTime, seconds: float, take: Take) -> None:
        self._clock = clock
        self._seconds = seconds
        self._take = take
        self._here: set[_Waiter] = set()
        self._waiting: dict[str, list[_Waiter]] = {}
        self._asked: set[str] = set()
        self._serving: set[str] = set()
        self._loose = Loose(Logger())
        self._open = True

    @property
    def count(self) -> int:
        """How many are in claimWork."""
        return len(self._here)

    async def wait(self, request: ClaimRequest) -> Claims:
        """Give what could be claimed; nothing when the time is over. A caller who is cancelled leaves the line."""
        if not self._open:
            return []
        queue, waiter = request.worker.task_queue_id, _Waiter(request)
        # Behind those who wait already, even if something is there: then it is being handed to them.
        self._waiting.setdefault(queue, []).append(waiter)
        self._here.add(waiter)
        timer = self._clock.callLater(self._seconds, waiter.send_away)
        self.wake(queue)
        try:
            return await waiter.answer
        finally:
            if timer.active():
                timer.cancel()
            self._leave_line(queue, waiter)
            self._here.discard(waiter)

    def wake(self, queue: str) -> None:
        """Something waits in this task queue, or somebody for it: bring them together."""
        if queue not in self._waiting:
            return
        self._asked.add(queue)
        if queue not in self._serving:
            self._loose.run(self._serve(queue), "handing out tasks")

    def end(self) -> None:
        """Answer everybody who waits, with nothing."""
        for waiter in tuple(self._here):
            waiter.send_away()

    async def stop(self) -> None:
        """Let nobody wait any more."""
        self._open = False
        self.end()
        await self._loose.wait()

    async def _serve(self, queue: str) -> None:
        """Look until nobody has asked since: who comes meanwhile, or what, may have come too late for the last look."""
        self._serving.add(queue)
        try:
            while queue in self._asked:
                self._asked.discard(queue)
                if waiters := tuple(self._waiting.get(queue, ())):
                    await self._serve_together(queue, waiters)
        finally:
            self._serving.discard(queue)

    async def _serve_together(self, queue: str, waiters: Sequence[_Waiter]) -> None:
        for waiter in waiters:
            waiter.in_hand = True
        try:
            taken = await self._take(queue, [waiter.request for waiter in waiters])
        except Exception:
            self._fail(waiters, Failure())
            return
        for waiter, claims in zip(waiters, taken, strict=True):
            self._hand(queue, waiter, claims)
        # Then there may be more, for those who got nothing.
        if sum(len(claims or ()) for claims in taken) >= CLAIMS_AT_ONCE:
            self._asked.add(queue)

    def _hand(self, queue: str, waiter: _Waiter, claims: Claims | None) -> None:
        """Give somebody what was claimed for them.

        Who has gone meanwhile keeps it until the claim ends, as in a real deployment.
        """
        waiter.in_hand = False
        waiter.request = replace(waiter.request, new=False)
        if claims is None:
            # They wait to the end of their time, but not in line.
            self._leave_line(queue, waiter)
        if waiter.answer.called:
            return
        if claims or waiter.over:
            self._leave_line(queue, waiter)
            waiter.answer.callback(claims or [])

    def _fail(self, waiters: Sequence[_Waiter], reason: Failure) -> None:
        for waiter in waiters:
            waiter.in_hand = False
            if not waiter.answer.called:
                waiter.answer.errback(reason)

    def _leave_line(self, queue: str, waiter: _Waiter) -> None:
        waiters = self._waiting.get(queue, [])
        if waiter in waiters:
            waiters.remove(waiter)
        if not waiters:
            self._waiting.pop(queue, None)
