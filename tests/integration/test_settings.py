"""Settings that every task of a worker feels."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.definitions import shell
from tests.integration.task_case import TaskCase


class Logs(TaskCase):
    settings: ClassVar[Any] = {"logs": {"maxMegabytes": 1, "mask": ["the name of the rose"]}}

    async def test_what_is_too_long_is_cut_in_its_middle(self) -> None:
        outcome = await self.run_task(shell("echo begun; yes | head -c 3000000; echo done"))
        self.assertResolved(outcome, "completed", "begun", "done")
        self.assertLess(len(outcome.log), 1_100_000)

    async def test_what_the_operator_names_is_masked(self) -> None:
        outcome = await self.run_task(
            shell("echo it is the name of; printf 'the name of'; sleep 0.1; echo ' the rose'")
        )
        self.assertIn("\nit is the name of\n[masked]\n", outcome.log)
