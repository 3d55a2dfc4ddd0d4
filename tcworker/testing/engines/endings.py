"""How a sandbox ends: by itself, killed or aborted, twice, too late, and all at once."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from tcworker.errors import SandboxAborted, SandboxEnded
from tcworker.interfaces import IResult
from tcworker.testing.engines.harness import EngineHarness
from tcworker.testing.engines.run import Run
from tcworker.waiting import pause

DELAYS = (0, 0, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.04)
"""Seconds after the start, about where a short task ends."""

LONG = 3000.0
"""A grace, in seconds, that no test lives to see the end of."""


class FinishCases(EngineHarness):
    """The end comes once, and everybody who asks is told the same."""

    async def test_finished_is_the_same_for_everybody(self) -> None:
        """Before the end and after it, in Deferreds of their own."""
        run = await self.start(self.payloads.prints("x"))
        first, second = run.execution.when_finished(), run.execution.when_finished()
        # A shared Deferred would hand this on to the second one.
        first.addCallback(lambda _: "changed by the first who asked")
        result = await self.soon(second, lambda: "the task did not end")
        self.assertIs(await self.ended(run), result)
        self.assertIs(await self.ended(run), result)

    async def test_finished_survives_one_who_cancels(self) -> None:
        """Somebody who does not want to wait any longer takes nothing from the rest, nor from the task."""
        run = await self.start(self.payloads.prints("x"))
        impatient, patient = run.execution.when_finished(), run.execution.when_finished()
        impatient.cancel()
        await self.fails(impatient, CancelledError)
        result = await self.soon(patient, lambda: "the task did not end")
        self.assertTrue(result.success)


class KillCases(EngineHarness):
    """A killed sandbox is dead soon, and still gives a result."""

    async def test_kill_gives_a_result(self) -> None:
        """It says why, and is no success. What was printed is there."""
        run = await self.running("before the kill")
        run.execution.kill("too long", LONG)
        result = await self.ended(run)
        self.assertEqual((result.success, result.killed), (False, "too long"))
        self.assertIn("before the kill\n", run.printed)

    async def test_kill_twice(self) -> None:
        """The first reason stays."""
        run = await self.start(self.payloads.ignores_sigterm("ignoring"))
        await self.see(run, "ignoring")
        run.execution.kill("first", 0.3)
        run.execution.kill("second", 0.3)
        self.assertEqual((await self.ended(run)).killed, "first")

    async def test_kill_ends_what_ignores_sigterm(self) -> None:
        """After the grace."""
        run = await self.start(self.payloads.ignores_sigterm("ignoring"))
        await self.see(run, "ignoring")
        run.execution.kill("too long", 0.3)
        self.assertEqual((await self.ended(run)).killed, "too long")

    async def test_kill_with_a_shorter_grace_wins(self) -> None:
        """A worker that must go sooner than it thought; a longer grace later changes nothing."""
        run = await self.start(self.payloads.ignores_sigterm("ignoring"))
        await self.see(run, "ignoring")
        for grace in (LONG, 0.3, LONG):
            run.execution.kill("too long", grace)
        self.assertEqual((await self.ended(run)).killed, "too long")

    async def test_kill_without_grace(self) -> None:
        """Is over at once."""
        run = await self.start(self.payloads.ignores_sigterm("ignoring"))
        await self.see(run, "ignoring")
        run.execution.kill("too long", 0)
        self.assertEqual((await self.ended(run)).killed, "too long")

    async def test_kill_after_the_end_does_nothing(self) -> None:
        """The result says nothing of it."""
        run, result = await self.finish(self.payloads.prints("x"))
        run.execution.kill("too late", 0)
        await pause(self.reactor, 0.05)
        self.assertIs(await self.ended(run), result)
        self.assertEqual((result.success, result.killed), (True, None))

    async def test_kill_races_with_the_end(self) -> None:
        """Whoever wins, there is one result, and it agrees with itself."""
        for delay in DELAYS:
            run = await self.start(self.payloads.prints("x"))
            await pause(self.reactor, delay)
            run.execution.kill("raced", 0.05)
            result = await self.ended(run)
            self.assertIn((result.success, result.killed), [(True, None), (False, "raced")])

    async def test_kill_reaches_daemons(self) -> None:
        """Also those that left their session and ignore SIGTERM."""
        run, marker = await self.with_daemon(sleeps=True)
        run.execution.kill("too long", 0.3)
        await self.ended(run)
        self.assertEqual(self.processes(marker), [])

    async def test_the_end_reaches_daemons(self) -> None:
        """A task is over when its commands are: what they left is dead by then."""
        run, marker = await self.with_daemon(sleeps=False)
        self.assertTrue((await self.ended(run)).success)
        self.assertEqual(self.processes(marker), [])


class AbortCases(EngineHarness):
    """An aborted sandbox is gone at once and gives no result."""

    async def test_abort_leaves_nothing(self) -> None:
        """When it fires all is freed, and who waits for the end is told."""
        before = await self.warm()
        run, marker = await self.with_daemon(sleeps=True)
        await self.aborted(run)
        self.assertEqual(self.processes(marker), [])
        await self.nothing_left(before)

    async def test_abort_twice(self) -> None:
        """At once and later, and whoever asks then is told as well."""
        run = await self.running("it runs")
        first, second = run.execution.abort("claim lost"), run.execution.abort("claim lost")
        await self.soon(first, lambda: "the first abort does not end")
        await self.soon(second, lambda: "the second abort does not end")
        await self.aborted(run)
        await self.fails(run.execution.when_finished(), SandboxAborted)

    async def test_abort_after_the_end_is_refused(self) -> None:
        """The result is still whole, and somebody must dispose it."""
        run, result = await self.finish(self.payloads.prints("x"))
        await self.fails(run.execution.abort("too late"), SandboxEnded)
        self.assertIs(await self.ended(run), result)
        self.assertTrue(result.success)

    async def test_abort_after_kill(self) -> None:
        """It does not wait for the grace."""
        run = await self.start(self.payloads.ignores_sigterm("ignoring"))
        await self.see(run, "ignoring")
        run.execution.kill("too long", LONG)
        await self.aborted(run)

    async def test_kill_after_abort_does_nothing(self) -> None:
        """There is nothing to kill, and nobody who would get a result."""
        run = await self.running("it runs")
        aborting = run.execution.abort("claim lost")
        run.execution.kill("too late", 0)
        await self.soon(aborting, lambda: "the abort does not end")
        await self.fails(run.execution.when_finished(), SandboxAborted)

    async def test_abort_races_with_the_end(self) -> None:
        """Either there is a result and the abort was refused, or there is none."""
        for delay in DELAYS:
            run = await self.start(self.payloads.prints("x"))
            await pause(self.reactor, delay)
            refused = await self.refused(run)
            self.assertEqual(isinstance(await self.outcome(run), Exception), not refused)

    async def test_abort_races_with_kill(self) -> None:
        """As with an end of its own."""
        for delay in DELAYS:
            run = await self.start(self.payloads.prints_then_sleeps("x"))
            run.execution.kill("too long", 0.01)
            await pause(self.reactor, delay)
            refused = await self.refused(run)
            self.assertEqual(isinstance(await self.outcome(run), Exception), not refused)

    async def aborted(self, run: Run) -> None:
        """Abort a sandbox, and see that those who waited before are told."""
        waiting = run.execution.when_finished()
        await self.soon(run.execution.abort("claim lost"), lambda: "the abort does not end")
        await self.fails(waiting, SandboxAborted)

    async def refused(self, run: Run) -> bool:
        """Abort a sandbox; whether that came too late."""
        try:
            await self.soon(run.execution.abort("raced"), lambda: "the abort does not end")
        except SandboxEnded:
            return True
        return False

    async def outcome(self, run: Run) -> IResult | Exception:
        """What those who wait for the end are told."""
        try:
            return await self.ended(run)
        except SandboxAborted as error:
            return error
