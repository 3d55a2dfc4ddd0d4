"""Processes beside the task's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tcworker.errors import FeatureNotSupported, SandboxEnded, TaskFailed
from tcworker.interfaces import ExitStatus, IExec, Size
from tcworker.testing.engines.harness import SHELLS, TERMINALS, EngineHarness
from tcworker.testing.engines.run import Run

KILLED = ExitStatus(None, 9)


class Recorder(ProcessProtocol):
    """Keeps what a process printed, by descriptor, and every end that it was told of."""

    def __init__(self) -> None:
        self.printed: dict[int, bytes] = {}
        self.ends: list[Failure] = []
        self.printed_at_the_end: dict[int, bytes] = {}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """The process printed something."""
        self.printed[childFD] = self.printed.get(childFD, b"") + data

    def processEnded(self, reason: Failure) -> None:
        """The process has ended and everything it printed was given."""
        self.ends.append(reason)
        self.printed_at_the_end = dict(self.printed)


class ShellCases(EngineHarness):
    """Shells and health checks run in a sandbox beside its commands, and end with it."""

    async def test_shell_in_and_out(self) -> None:
        """Its input reaches it, and its output comes back exactly, stdout and stderr apart."""
        _, recorder, shell = await self.shell(self.payloads.copying("grumble"))
        shell.write(b"one\n")
        shell.writeSequence([b"two\n", b"three"])
        shell.loseConnection()
        self.assertEqual(await self.over(shell, recorder), ExitStatus(0))
        self.assertEqual(recorder.printed, {1: b"one\ntwo\nthree", 2: b"grumble"})

    async def test_shell_that_fails(self) -> None:
        """Is no error of anybody else."""
        run, recorder, shell = await self.shell(self.payloads.exiting(7))
        self.assertEqual(await self.over(shell, recorder), ExitStatus(7))
        self.assertEqual(getattr(recorder.ends[0].value, "exitCode", None), 7)
        run.execution.kill("done", 1)
        self.assertEqual((await self.ended(run)).killed, "done")

    async def test_shell_that_cannot_be_started(self) -> None:
        """Says so at once."""
        self.requires(SHELLS)
        run = await self.running("it runs")
        starting = run.execution.new_exec(Recorder(), self.payloads.missing(), {}, None)
        await self.fails(starting, TaskFailed)

    async def test_shell_aborted(self) -> None:
        """Twice, and again after its end."""
        _, recorder, shell = await self.shell(self.payloads.sleeping())
        shell.abort()
        shell.abort()
        self.assertEqual(await self.over(shell, recorder), KILLED)
        shell.abort()
        self.assertEqual(await self.over(shell, recorder), KILLED)

    async def test_shell_ends_with_a_killed_sandbox(self) -> None:
        """It is dead when the sandbox is."""
        run, recorder, shell = await self.shell(self.payloads.sleeping())
        run.execution.kill("too long", 0.2)
        await self.ended(run)
        self.assertFalse((await self.over(shell, recorder)).success)

    async def test_shell_ends_with_an_aborted_sandbox(self) -> None:
        """As with a killed one."""
        run, recorder, shell = await self.shell(self.payloads.sleeping())
        await self.soon(run.execution.abort("claim lost"), lambda: "the abort does not end")
        self.assertEqual(await self.over(shell, recorder), KILLED)

    async def test_shell_after_the_end_is_refused(self) -> None:
        """There is nothing to run it in."""
        self.requires(SHELLS)
        run, _ = await self.finish(self.payloads.prints("x"))
        refused = run.execution.new_exec(Recorder(), self.payloads.exiting(0), {}, None)
        await self.fails(refused, SandboxEnded)

    async def test_shell_has_the_environment_of_the_task(self) -> None:
        """And its own variables above that."""
        self.requires(SHELLS)
        env = {"SUITE_TASK": "of the task", "SUITE_BOTH": "of the task"}
        run = await self.start(self.payloads.prints_then_sleeps("x"), env)
        shell, recorder = await self.open(run, self.payloads.printing_env(), {"SUITE_BOTH": "of the shell"})
        await self.over(shell, recorder)
        lines = recorder.printed[1].decode().splitlines()
        self.assertIn("SUITE_TASK=of the task", lines)
        self.assertIn("SUITE_BOTH=of the shell", lines)

    async def test_shell_without_terminal_has_no_size(self) -> None:
        """Nor can it be given one."""
        _, _, shell = await self.shell(self.payloads.sleeping())
        with self.assertRaises(FeatureNotSupported):
            shell.resize(Size(80, 25))

    async def test_shell_on_a_terminal(self) -> None:
        """All that it prints comes as one stream, and its size changes."""
        self.requires(TERMINALS)
        run = await self.running("it runs")
        shell, recorder = await self.open(run, self.payloads.printing_env(), {"SUITE_TTY": "1"}, Size(80, 25))
        shell.resize(Size(132, 50))
        self.assertEqual(await self.over(shell, recorder), ExitStatus(0))
        self.assertEqual(list(recorder.printed), [1])
        self.assertIn(b"SUITE_TTY=1\r\n", recorder.printed[1].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    async def test_shells_that_are_not_offered(self) -> None:
        """The task's author asked for what this platform does not have."""
        self.refuses(SHELLS)
        run = await self.running("it runs")
        refused = run.execution.new_exec(Recorder(), self.payloads.exiting(0), {}, None)
        await self.fails(refused, FeatureNotSupported)

    async def shell(self, command: Sequence[str]) -> tuple[Run, Recorder, IExec]:
        """Run a command beside a task that sleeps."""
        self.requires(SHELLS)
        run = await self.running("it runs")
        shell, recorder = await self.open(run, command, {})
        return run, recorder, shell

    async def open(
        self, run: Run, command: Sequence[str], env: Mapping[str, str], tty: Size | None = None
    ) -> tuple[IExec, Recorder]:
        """Run a command beside a task."""
        recorder = Recorder()
        opening: Deferred[IExec] = run.execution.new_exec(recorder, command, env, tty)
        return await self.soon(opening, lambda: f"{command} does not start"), recorder

    async def over(self, shell: IExec, recorder: Recorder) -> ExitStatus:
        """Wait for the end of a process; its protocol has been told once, after all that it printed."""
        how = await self.soon(shell.when_ended(), lambda: f"the process does not end: {recorder.printed}")
        await self.until(lambda: recorder.ends, lambda: "the protocol is not told of the end")
        self.assertEqual(len(recorder.ends), 1)
        self.assertEqual(recorder.printed, recorder.printed_at_the_end)
        return how
