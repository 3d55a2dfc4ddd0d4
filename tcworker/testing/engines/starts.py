"""Sandboxes that never run: discarded, cancelled, failed, or started a second time."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from tcworker.errors import Discarded, TaskError
from tcworker.testing.engines.harness import EngineHarness
from tcworker.waiting import pause

DELAYS = (0, 0.001, 0.002, 0.004, 0.008)
"""Seconds after the start was asked for, about where it is under way."""


class StartCases(EngineHarness):
    """What does not start leaves nothing behind."""

    async def test_discard_instead_of_start(self) -> None:
        """A start that comes later is told so; repeating it does no harm."""
        before = await self.warm()
        engine = self.new_engine(self.payloads.prints("never"))
        await engine.discard()
        await engine.discard()
        await self.fails(engine.start(), Discarded)
        await self.nothing_left(before)

    async def test_discard_during_start(self) -> None:
        """At any moment: nothing is left when it fires, and whoever waits for the start is told."""
        before = await self.warm()
        for delay in DELAYS:
            engine = self.new_engine(self.slow_start())
            starting = engine.start()
            await pause(self.reactor, delay)
            if starting.called:
                await (await starting).abort("it has started")
                continue
            discarding = engine.discard()
            await self.fails(starting, Discarded)
            await self.soon(discarding, lambda: "the discard does not end")
        await self.nothing_left(before)

    async def test_cancelled_start(self) -> None:
        """At any moment: nothing is left, and nothing runs."""
        before = await self.warm()
        for delay in DELAYS:
            engine = self.new_engine(self.slow_start())
            starting = engine.start()
            await pause(self.reactor, delay)
            if starting.called:
                await (await starting).abort("it has started")
                continue
            starting.cancel()
            await self.fails(starting, CancelledError)
        await self.nothing_left(before)

    async def test_failed_start(self) -> None:
        """It fails with an error that has a resolution, and discarding what failed does no harm."""
        before = await self.warm()
        engine = self.new_engine(self.failing_start())
        await self.fails(engine.start(), TaskError)
        await engine.discard()
        await self.nothing_left(before)

    async def test_second_start_is_refused(self) -> None:
        """The task runs once."""
        run = await self.start(self.payloads.prints("printed once"))
        await self.fails(run.engine.start(), Exception)
        await self.ended(run)
        self.assertEqual(run.printed.count("printed once"), 1)

    async def test_runs_leave_nothing(self) -> None:
        """However many there were."""
        before = await self.warm()
        for _ in range(3):
            await self.warm()
        await self.nothing_left(before)
