"""What a task prints."""

from __future__ import annotations

from tcworker.testing.engines.harness import EngineHarness


class LogCases(EngineHarness):
    """Everything that is printed is in the log, while the task runs, and to the last line when it has ended."""

    async def test_log_of_a_task_that_succeeds(self) -> None:
        """The text is there, the result is a success."""
        run, result = await self.finish(self.payloads.prints("hello from the task"))
        self.assertIn("hello from the task\n", run.printed)
        self.assertTrue(result.success)
        self.assertEqual([command.exit.status for command in result.commands], [0])

    async def test_log_of_a_task_that_fails(self) -> None:
        """The text is there all the same, and so is the exit status."""
        run, result = await self.finish(self.payloads.prints("hello from the task", 1))
        self.assertIn("hello from the task\n", run.printed)
        self.assertEqual((result.success, result.killed), (False, None))
        self.assertEqual(result.commands[-1].exit.status, 1)

    async def test_log_of_a_silent_task(self) -> None:
        """Nobody else prints what the task does not."""
        run, result = await self.finish(self.payloads.prints(""))
        self.assertNotIn("hello from the task", run.printed)
        self.assertTrue(result.success)

    async def test_log_has_the_last_line_at_the_end(self) -> None:
        """Whoever hears of the end finds the last line: no reader lags behind."""
        text = "\n".join(f"line {number} of many" for number in range(3000))
        for _ in range(5):
            run = await self.start(self.payloads.prints(text))
            at_the_end = run.execution.when_finished().addCallback(run.printed_at)
            self.assertIn("line 2999 of many\n", await self.soon(at_the_end, lambda: "the task did not end"))
            self.assertIn(text, run.printed)

    async def test_log_can_be_read_while_the_task_runs(self) -> None:
        """Those who follow see a line as soon as it is printed."""
        run = await self.start(self.payloads.prints_then_sleeps("early line"))
        await self.see(run, "early line\n")

    async def test_log_takes_lines_of_the_worker_meanwhile(self) -> None:
        """They stand between what was printed before and what comes after, each a whole line."""
        run = await self.start(self.payloads.prints_then_sleeps("printed before"))
        await self.see(run, "printed before\n")
        run.context.log.info("said meanwhile")
        await self.see(run, "said meanwhile\n")
        self.assertRegex(run.printed, r"printed before\n(.*\n)*\[taskcluster [^]]*\] said meanwhile\n")

    async def test_log_belongs_to_the_worker_again_after_the_end(self) -> None:
        """What features say after the end comes after what the task printed."""
        run, _ = await self.finish(self.payloads.prints("printed"))
        run.context.log.info("said at the end")
        self.assertRegex(run.printed, r"printed\n(.*\n)*\[taskcluster [^]]*\] said at the end\n$")
