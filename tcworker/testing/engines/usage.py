"""What a task uses of the machine."""

from __future__ import annotations

from dataclasses import astuple

from twisted.internet.protocol import ProcessProtocol

from tcworker.errors import FeatureNotSupported, SandboxEnded
from tcworker.testing.engines.harness import SHELLS, USAGE, EngineHarness


class UsageCases(EngineHarness):
    """It is told while the task runs, as often as somebody asks."""

    async def test_usage_of_a_task_that_runs(self) -> None:
        """Somebody lives, and no number is less than nothing."""
        self.requires(USAGE)
        run = await self.running("it runs")
        usage = await run.execution.measure()
        self.assertGreaterEqual(usage.processes, 1)
        self.assertGreaterEqual(min(astuple(usage)), 0)

    async def test_usage_never_goes_backwards(self) -> None:
        """In what it counts from the start: a process that ends takes nothing away."""
        self.requires(USAGE)
        self.requires(SHELLS)
        run = await self.running("it runs")
        shell = await run.execution.new_exec(ProcessProtocol(), self.payloads.sleeping(), {}, None)
        first = await run.execution.measure()
        shell.abort()
        await self.soon(shell.when_ended(), lambda: "the shell does not end")
        second = await run.execution.measure()
        self.assertLess(second.processes, first.processes)
        self.assertGreaterEqual((second.cpu, second.disk), (first.cpu, first.disk))

    async def test_usage_counts_all_processes(self) -> None:
        """Those that left their parents and their session too."""
        self.requires(USAGE)
        run, _ = await self.with_daemon(sleeps=True)
        self.assertGreaterEqual((await run.execution.measure()).processes, 2)

    async def test_usage_for_two_who_ask_at_once(self) -> None:
        """Both are told."""
        self.requires(USAGE)
        run = await self.running("it runs")
        asked = [run.execution.measure() for _ in range(2)]
        for usage in asked:
            self.assertGreaterEqual((await usage).processes, 1)

    async def test_usage_after_the_end(self) -> None:
        """Nothing is used any more."""
        self.requires(USAGE)
        run, result = await self.finish(self.payloads.prints("x"))
        await self.fails(run.execution.measure(), SandboxEnded)
        await result.dispose()
        await self.fails(run.execution.measure(), SandboxEnded)

    async def test_usage_that_is_not_told(self) -> None:
        """It is refused, and the task goes on."""
        self.refuses(USAGE)
        run = await self.running("it runs")
        await self.fails(run.execution.measure(), FeatureNotSupported)
