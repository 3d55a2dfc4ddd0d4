"""Tasks that print what, where and as much as they like."""

from __future__ import annotations

from tests.chances import SOAKING
from tests.definitions import shell
from tests.integration.bad_case import BadCase

MEGABYTES = 1024 if SOAKING else 128


class BadOutput(BadCase):
    """What every worker must endure, whoever its tasks run as."""

    async def test_closes_its_output_and_goes_on(self) -> None:
        script = "echo before; exec >&- 2>&-; sleep 0.2; exit 3"
        await self.endure(shell(script), "failed", "before", "Exit Code: 3", "command 0 exited with status 3")

    async def test_writes_to_dev_stderr(self) -> None:
        script = "set -e; echo first; echo second > /dev/stderr; echo third | tee /dev/stderr > /dev/stdout; echo last"
        outcome = await self.endure(shell(script), "completed", "first", "second", "third", "last")
        self.assertEqual(outcome.lines.count("third"), 2)

    async def test_prints_what_is_no_text(self) -> None:
        outcome = await self.endure(shell(r"printf '\377\376\000\001 end\n'"), "completed", " end")
        self.assertIn("\udcff\udcfe\0\1 end\n", outcome.log)

    async def test_prints_very_much_without_a_newline(self) -> None:
        script = f"head -c {MEGABYTES}M /dev/zero | tr '\\000' x"
        task_id = await self.client.create(shell(script))
        runs = await self.client.until(task_id, "completed", "failed", "exception")
        self.assertEqual(runs[-1]["state"], "completed")
        self.assertGreater(await self.count(task_id, b"x"), 0.9 * min(MEGABYTES << 20, 1_000_000_000))
        await self.assertWorks()
        await self.nothing_left()

    async def count(self, task_id: str, what: bytes) -> int:
        """Count what is in a log that is too long to be in memory."""
        found = 0

        def read(piece: bytes) -> None:
            nonlocal found
            found += piece.count(what)

        answer = await self.client.download(task_id, 0, "public/logs/live_backing.log", read)
        self.assertEqual(answer.status, 200)
        return found
