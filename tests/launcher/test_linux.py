"""Control groups, where there are any that can be killed."""

from __future__ import annotations

from twisted.internet import reactor

from tcworker.engine.native.platform import NativePlatform
from tcworker.launcher.cgroups import remove
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, exists, new_config, new_tasks_dir
from tests.launcher.test_cgroups import new_group


class TaskTests(NativeCase):
    """A task of root, which may make groups."""

    async def test_groups_that_a_task_made_go_with_its_own(self):
        remove(new_group())
        own = "$(grep ' cgroup2 ' /proc/self/mounts | cut -d ' ' -f 2)$(sed -n s/^0:://p /proc/self/cgroup)"
        self.tasks_dir = new_tasks_dir(self)
        platform = NativePlatform(reactor, new_config(self.tasks_dir))
        await platform.prepare([])
        context, execution = await self.start(
            shell(
                f"set -e; cd {own}; mkdir -p a/b c; (echo 0 > a/b/cgroup.procs; exec sleep 3600) & "
                'until [ "$(cat a/b/cgroup.procs)" ]; do sleep 0.01; done'
            ),
            platform,
        )
        groups = execution.record.details["groups"]
        result = await execution.when_finished()
        await result.dispose()
        await platform.dispose()
        self.assertTrue(result.success, context.log.text)
        self.assertEqual([group for group in groups if exists(group)], [])
