"""Which files a task can have published: those that its own user and groups may read."""

from __future__ import annotations

import grp
import os
from typing import Any

from tcworker.errors import ArchiveError
from tcworker.interfaces import IResult
from tests.definitions import shell
from tests.engine.native.test_users import OwnUsersCase

GROUP = "audio"


class GroupsTests(OwnUsersCase):
    """A worker with a group whose members may read a file, which the task knows of."""

    def setUp(self):
        super().setUp()
        self.addCleanup(os.setgroups, os.getgroups())
        os.setgroups([grp.getgrnam(GROUP).gr_gid])

    async def ended(self, *groups: str) -> tuple[IResult, str]:
        """A task that was in some groups, and the path of the file."""
        # The file lies where tests may write: in /tmp.
        platform = await self.new_platform(private_tmp=False)
        path = self.write_secret()
        engine = platform.new_engine(self.new_context(shell("true")))
        for group in groups:
            engine.join_group(group)
        result = await (await engine.start()).when_finished()
        self.addCleanup(result.dispose)
        return result, path

    def write_secret(self) -> str:
        path = os.path.join(self.tasks_dir, "secret")
        with open(path, "w") as file:
            file.write("secret")
        os.chown(path, 0, grp.getgrnam(GROUP).gr_gid)
        os.chmod(path, 0o640)
        return path

    async def test_the_worker_s_groups_are_not_the_task_s(self):
        result, path = await self.ended()
        failed: Any = self.assertFailure(result.archive_file(path), ArchiveError)
        self.assertEqual((await failed).reason, "file-not-readable-on-worker")

    async def test_the_groups_that_a_task_asked_for_are(self):
        result, path = await self.ended(GROUP)
        file = await result.archive_file(path)
        self.addCleanup(file.close)
        self.assertEqual(file.size, len("secret"))
