"""Control groups, where there are any that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from unittest.mock import patch

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native.platform import NativePlatform
from tcworker.launcher import linux, proc
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


class SignalTests(SynchronousTestCase):
    """Processes that are asked to end."""

    def test_whom_somebody_starts_to_clean_up_is_not_asked(self):
        folder = self.mktemp()
        os.mkdir(folder)
        cleans_up = "trap 'sleep 0.3 && touch clean; exit' TERM; touch ready; while :; do sleep 0.01; done"
        root = subprocess.Popen(["sh", "-c", f'sh -c "{cleans_up}" & wait'], cwd=folder)
        self.addCleanup(root.wait)
        self.addCleanup(root.kill)
        while not os.path.exists(f"{folder}/ready"):
            time.sleep(0.01)

        def slowly(of: int) -> set[int]:
            time.sleep(0.1)
            return descendants(of)

        descendants = proc.descendants
        with patch.object(proc, "descendants", slowly):
            linux.signal_all(root.pid, [], signal.SIGTERM)
        root.wait()
        self.assertTrue(os.path.exists(f"{folder}/clean"))
