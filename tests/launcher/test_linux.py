"""Control groups, where there are any that can be killed."""

from __future__ import annotations

import os
import subprocess
from uuid import uuid4

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.engine.native.platform import NativePlatform
from tcworker.launcher.system import this_system
from tests.engine.native.harness import NativeCase, exists, new_config, new_tasks_dir, shell


def new_group() -> str:
    """A group that the caller removes."""
    # Not named as a launcher's: workers that start meanwhile remove those.
    group = this_system().new_group(f"test_tcworker_{uuid4().hex}")
    if group is None:
        raise SkipTest("there can be no control groups here")
    return group


class RemoveTests(SynchronousTestCase):
    """Whoever may make a group may make groups in it."""

    def setUp(self):
        self.group = new_group()
        self.addCleanup(this_system().remove_group, self.group)

    def make(self, *names: str) -> str:
        path = os.path.join(self.group, *names)
        os.makedirs(path)
        return path

    def test_with_groups_inside(self):
        self.make("a", "b", "c")
        self.make("a", "d")
        self.make("e")
        self.assertTrue(this_system().remove_group(self.group))
        self.assertFalse(exists(self.group))

    def test_with_groups_deeper_than_python_calls_itself(self):
        """Folders are removed like them, and made faster."""
        path = top = self.mktemp()
        # Should it be left, whoever removes it later might call himself.
        self.addCleanup(subprocess.run, ["rm", "-rf", top], check=True)
        for _ in range(1200):
            os.mkdir(path)
            path = os.path.join(path, "a")
        self.assertTrue(this_system().remove_group(top))

    def test_with_somebody_in_a_group_inside(self):
        inner = self.make("a", "b")
        process = subprocess.Popen(["sleep", "100"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        with open(os.path.join(inner, "cgroup.procs"), "w") as processes:
            processes.write(str(process.pid))
        self.assertFalse(this_system().remove_group(self.group))
        self.assertTrue(exists(inner))
        process.kill()
        process.wait()
        self.assertTrue(this_system().remove_group(self.group))


class TaskTests(NativeCase):
    """A task of root, which may make groups."""

    async def test_groups_that_a_task_made_go_with_its_own(self):
        this_system().remove_group(new_group())
        own = "$(grep ' cgroup2 ' /proc/self/mounts | cut -d ' ' -f 2)$(sed -n s/^0:://p /proc/self/cgroup)"
        self.tasks_dir = new_tasks_dir(self.addCleanup)
        platform = NativePlatform(reactor, new_config(self.tasks_dir))
        await platform.prepare([])
        context, execution = await self.start(
            shell(
                f"set -e; cd {own}; mkdir -p a/b c; (echo 0 > a/b/cgroup.procs; exec sleep 3600) & "
                'until [ "$(cat a/b/cgroup.procs)" ]; do sleep 0.01; done'
            ),
            platform,
        )
        group = execution.record.details["group"]
        result = await execution.when_finished()
        await result.dispose()
        await platform.dispose()
        self.assertTrue(result.success, context.log.text)
        self.assertFalse(exists(group))
