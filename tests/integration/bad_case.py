"""Tasks that do what they should not, and a look at what they leave."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tcworker.interfaces import JSON
from tcworker.testing.engines import traces
from tests.definitions import shell
from tests.integration.picture import (
    Picture,
    control_groups,
    control_groups_of,
    descendants,
    grown,
    take_picture,
)
from tests.integration.task_case import TaskCase
from tests.integration.task_client import Outcome
from tests.surroundings import only_root, until

OF_NOBODY = {"taskUser": "nobody"}
"""The settings of a worker whose tasks all run as one user, who is not the worker's."""

UIDS = range(first := 100_000 + os.getpid() % 1000 * 1100, first + 1100)
"""Users of this process's own: the same suite may run several times on one machine."""

OF_THEIR_OWN = {"taskUsers": True, "taskUidRange": [UIDS[0], UIDS[-1]]}
"""The settings of a worker each of whose tasks has a user of its own."""


class BadCase(TaskCase):
    """Tests that give a worker bad tasks, and see that the machine is as it was and the next task unharmed."""

    before: Picture

    async def prepare(self) -> None:
        self.addCleanup(self.nothing_left_at_all)
        only_root()
        # A server that other tests share, for instance.
        self.others = traces.processes()
        await super().prepare()
        commands = frozenset(line.partition(" ")[2].strip() for line in self.others)
        self.nothing = {**self.picture(), "processes": commands, "files": frozenset(), "users": frozenset()}
        # Launchers, pools, connections come with the first task, and stay.
        await self.assertWorks()
        # It publishes a verdict beside its log, and needs one connection more.
        await self.run_task(shell("false"))
        await self.assertWorks()
        self.before = self.picture()
        self.families = control_groups_of(descendants())

    def picture(self) -> Picture:
        """What there is now."""
        return take_picture(self.site.tasks_dir, self.site.state_dir, UIDS)

    async def endure(self, payload: JSON, resolution: str, *lines: str) -> Outcome:
        """Run a bad task: it must end so, with these lines, leave nothing, and not harm the next one."""
        outcome = await self.run_task(payload)
        self.assertResolved(outcome, resolution, *lines)
        await self.assertWorks()
        await self.nothing_left()
        return outcome

    async def nothing_left(self) -> None:
        """Fail if there is more on this machine than there was; what ends in the background has some time."""
        await until(lambda: not self.left(), 20, self.left)

    def left(self) -> Mapping[str, list[str]]:
        """What there is more on this machine than there was."""
        return grown(self.before, self.picture())

    def nothing_left_at_all(self) -> None:
        """Fail if a worker that is gone has left a process, or a control group."""
        if hasattr(self, "before"):
            self.assertEqual(control_groups(self.families), [])
            self.assertEqual(sorted(set(traces.processes()) - set(self.others)), [])
            self.assertEqual(grown(self.nothing, self.picture()), {})
