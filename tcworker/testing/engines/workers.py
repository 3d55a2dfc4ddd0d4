"""Several sandboxes at a time, and a worker that ends or is started again."""

from __future__ import annotations

import json

from tcworker.errors import SandboxAborted, TaskError
from tcworker.interfaces import SandboxRecord
from tcworker.testing.engines.artifacts import MadeFiles
from tcworker.testing.engines.payloads import Made
from tcworker.testing.engines.run import Run


class NeighbourCases(MadeFiles):
    """Two sandboxes side by side know nothing of each other."""

    async def test_neighbours_have_logs_of_their_own(self) -> None:
        """What one prints is not in the other's."""
        first = await self.running("printed by the first")
        second = await self.running("printed by the second")
        self.assertNotIn("second", first.printed)
        self.assertNotIn("first", second.printed)

    async def test_neighbours_have_files_of_their_own(self) -> None:
        """Under the same names."""
        _, first = await self.made({"same": Made("file", "first")})
        _, second = await self.made({"same": Made("file", "seconds")})
        self.assertEqual(((await first.archive_file("same")).size, (await second.archive_file("same")).size), (5, 7))

    async def test_neighbours_end_apart(self) -> None:
        """Killing, aborting and disposing one leaves the other running."""
        survivor, killed, aborted = [await self.running("it runs") for _ in range(3)]
        killed.execution.kill("too long", 1)
        await (await self.ended(killed)).dispose()
        await aborted.execution.abort("claim lost")
        waiting = survivor.execution.when_finished()
        self.assertFalse(waiting.called)
        waiting.cancel()
        waiting.addErrback(lambda _: None)
        survivor.execution.kill("done", 1)
        self.assertEqual((await self.ended(survivor)).killed, "done")


class RestartCases(MadeFiles):
    """What a worker leaves when it ends, well or not."""

    async def test_record_lets_a_new_worker_kill_what_was_left(self) -> None:
        """Every process and every file of it, after which tasks run as ever."""
        before = sorted(self.traces())
        run, marker = await self.with_daemon(sleeps=True)
        # Nothing is told to the first one: it stands for a worker that died.
        await self.prepare([as_stored(run.execution.record)])
        self.assertEqual(self.processes(marker), [])
        self.assertEqual(sorted(self.traces()), before)
        await self.lost(run)
        _, result = await self.finish(self.payloads.prints("x"))
        self.assertTrue(result.success)

    async def test_record_of_what_had_ended(self) -> None:
        """Files that nobody disposed are removed; what is gone already does no harm."""
        before = sorted(self.traces())
        run, _ = await self.made({"file": Made("file", "x")})
        record = as_stored(run.execution.record)
        await self.prepare([record])
        self.assertEqual(sorted(self.traces()), before)
        await self.prepare([record])

    async def test_record_has_no_secrets(self) -> None:
        """It is kept on disk."""
        run = await self.start(self.payloads.prints_then_sleeps("x"), {"SUITE_TOKEN": "suite-secret"})
        self.assertEqual(run.execution.record.platform, self.platform.name)
        self.assertNotIn("suite-secret", json.dumps(dict(run.execution.record.details)))

    async def test_sweeping_leaves_alone_what_lives(self) -> None:
        """And what has ended, until it is disposed."""
        running = await self.running("it runs")
        _, result = await self.made({"file": Made("file", "abc")})
        await self.platform.sweep()
        self.assertEqual((await result.archive_file("file")).size, 3)
        running.execution.kill("done", 1)
        self.assertEqual((await self.ended(running)).killed, "done")

    async def test_platform_leaves_nothing(self) -> None:
        """No process, thread, timer, descriptor or folder."""
        before = self.snapshot_with_threads()
        platform = self.new_platform()
        await platform.prepare([])
        engine = platform.new_engine(self.new_context(self.payloads.prints("x")))
        result = await (await engine.start()).when_finished()
        await result.dispose()
        await platform.dispose()
        await self.nothing_left(before)

    async def lost(self, run: Run) -> None:
        """The worker that had the sandbox, were it alive, would hear that it broke or ended."""
        try:
            await self.ended(run)
        except (SandboxAborted, TaskError):
            return


def as_stored(record: SandboxRecord) -> SandboxRecord:
    """A record as state.db gives it back."""
    return SandboxRecord(record.platform, json.loads(json.dumps(dict(record.details))))
