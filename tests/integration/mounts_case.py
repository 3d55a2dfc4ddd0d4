"""Tasks with mounts through a whole worker, and a server that has what they mount."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from tcworker.interfaces import JSON
from tests.definitions import shell
from tests.integration.bad_server import BadServer, content
from tests.integration.task_case import TaskCase
from tests.integration.task_client import Outcome

SCOPES = ("generic-worker:cache:*",)

TREE: Mapping[str, bytes] = {"a.txt": b"first\n", "deep/er/b.txt": b"second\n"}


class MountsCase(TaskCase):
    """Tasks of one worker.

    @ivar server: misbehaves only where a test tells it to.
    """

    # The embedded purge-cache otherwise answers what it knew up to ten seconds ago.
    times = replace(TaskCase.times, purge_requests=0)
    server: BadServer

    async def prepare(self) -> None:
        """See L{TaskCase.prepare}."""
        self.server = BadServer.started(self)
        await super().prepare()

    def url(self, path: str, data: bytes) -> JSON:
        """A content that the server has."""
        return {"url": self.server.serve(path, content(data))}

    async def mounting(self, script: str, *mounts: JSON, scopes: Any = SCOPES, **more: Any) -> Outcome:
        """Run a task of one command with these mounts.

        @param more: of the task's definition; C{payload} adds to the payload.
        """
        payload = shell(script, mounts=list(mounts), **more.pop("payload", {}))
        return await self.run_task(payload, scopes=list(scopes), **more)

    async def assertPrints(self, script: str, printed: str, *mounts: JSON, **more: Any) -> Outcome:
        """Run a task that must succeed, and print a line."""
        outcome = await self.mounting(script, *mounts, **more)
        self.assertResolved(outcome, "completed")
        self.assertIn(printed, outcome.lines)
        return outcome

    def kept(self, setting: str = "cachesDir") -> list[str]:
        """The folders of what the worker keeps for tasks."""
        usual = {"cachesDir": "caches", "downloadsDir": "downloads"}[setting]
        folder = self.site.settings.get(setting, os.path.join(self.site.state_dir, usual))
        return [name for name in os.listdir(folder) if name.startswith("cache-")]

    async def artifact(self, data: str, **definition: Any) -> str:
        """Have a task publish C{public/data.txt}; gives its id."""
        entry = {"type": "file", "path": "data.txt", "name": "public/data.txt", "contentEncoding": "identity"}
        outcome = await self.run_task(shell(f"printf '{data}' > data.txt", artifacts=[entry]), **definition)
        self.assertResolved(outcome, "completed")
        return outcome.task_id


class AsOrdinaryUser(MountsCase):
    """A worker whose tasks run as it does."""

    settings: ClassVar[Mapping[str, Any]] = {"taskUsers": False}
