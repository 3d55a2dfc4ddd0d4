"""A whole worker on a machine whose clock is not that of its Taskcluster."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from tcworker.assemble import new_worker
from tcworker.clocks import SteadyClock, run_steadily
from tcworker.embedded.times import Times
from tcworker.watch.clock import ClockWatch
from tests.definitions import date, shell
from tests.integration import task_case
from tests.integration.task_case import FILE, TaskCase
from tests.surroundings import until

reactor: Any = real_reactor


class WrongReactor:
    """A reactor that runs by another clock.

    @ivar wrong: seconds by which it is ahead of the true one.
    """

    def __init__(self, wrong: float) -> None:
        self.wrong = wrong
        self._timers: list[IDelayedCall] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def seconds(self) -> float:
        """See C{IReactorTime}."""
        return float(reactor.seconds()) + self.wrong

    def callLater(self, delay: float, call: Any, *args: Any, **more: Any) -> IDelayedCall:
        """See C{IReactorTime}."""
        timer: IDelayedCall = reactor.callLater(delay, call, *args, **more)
        self._timers = [*self.getDelayedCalls(), timer]
        return timer

    def getDelayedCalls(self) -> list[IDelayedCall]:
        """See C{IReactorTime}."""
        return [timer for timer in self._timers if timer.active()]

    def set(self, seconds: float) -> None:
        """Set the clock forward, or back: timers come by so much sooner or later, unless the reactor runs steadily."""
        self.wrong += seconds
        if not isinstance(self.seconds, SteadyClock):
            for timer in self.getDelayedCalls():
                timer.delay(-seconds)


class ClockCase(TaskCase):
    """Claims are short here: they must be renewed again and again while a task runs."""

    times: ClassVar[Times] = Times(claim=2, poll=1, deadline_delay=0.1)
    wrong = 0.0
    steady = True

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.clock = WrongReactor(self.wrong)
        if self.steady:
            run_steadily(self.clock)
        self.patch(task_case, "new_worker", lambda _, *more: new_worker(self.clock, *more))
        return super().setUp()


class MinutesAhead(ClockCase):
    """More than a server takes in a signature (contracts of the queue, 3.1)."""

    wrong = 20 * 60.0

    async def test_a_task_that_outlasts_its_claim(self) -> None:
        payload = shell("sleep 3; echo out > out.txt; echo done", artifacts=[FILE])
        outcome = await self.run_task(payload)
        self.assertResolved(outcome, "completed", "done")
        self.assertEqual(await self.client.content(outcome.task_id, 0, "public/out.txt"), b"out\n")

    async def test_a_task_s_deadline_is_by_the_server_s_clock(self) -> None:
        outcome = await self.run_task(shell("sleep 1; echo done"), deadline=date(seconds=60))
        self.assertResolved(outcome, "completed", "done")
        outcome = await self.run_task(shell("sleep 60"), deadline=date(seconds=2))
        self.assertResolved(outcome, "exception/deadline-exceeded")

    async def test_a_claim_that_is_lost_is_noticed(self) -> None:
        self.refuse("POST", "/reclaim", 503)
        task_id = await self.client.create(shell("touch begun; sleep 60"), retries=1)
        await self.until_begun()
        self.refuse("POST", "/claim-work/", 503)
        runs = await self.client.until(task_id, "pending")
        self.assertEqual(runs[0]["reasonResolved"], "claim-expired")
        await until(lambda: not self.site.worker.status()["runs"])


class MinutesBehind(MinutesAhead):
    wrong = -20 * 60.0


class SetBackWhileATaskRuns(ClockCase):
    """By an hour: set back, it would hold up renewals and all else for so long; set forward, end what has time."""

    jump = -3600.0

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.patch(ClockWatch, "look_every", 0.1)
        return super().setUp()

    async def test_its_claim_is_kept_and_the_worker_goes_on(self) -> None:
        task_id = await self.client.create(shell("touch begun; sleep 4; echo done"))
        await self.until_begun()
        self.clock.set(self.jump)
        self.assertResolved(await self.client.outcome(task_id), "completed", "done")
        await self.assertWorks()


class SetForwardWhileATaskRuns(SetBackWhileATaskRuns):
    jump = 3600.0


class SetBackInSomebodysProgram(ClockCase):
    """Whose reactor goes by the machine's clock."""

    steady = False

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.patch(ClockWatch, "look_every", 0.1)
        return super().setUp()

    async def test_its_claim_is_kept(self) -> None:
        task_id = await self.client.create(shell("touch begun; sleep 4; echo done"))
        await self.until_begun()
        self.clock.set(-3600)
        self.assertResolved(await self.client.outcome(task_id), "completed", "done")
