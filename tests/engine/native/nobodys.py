"""A user without an account, made by hand, for tests of what users leave."""

from __future__ import annotations

import os
import resource
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native.kill import kill_processes
from tests.surroundings import only_root

UID = 30_000 + os.getpid() % 9_000
"""A number that is nobody's, outside of the range of workers; of this process's own, for tests run side by side."""

MAKE_IPC = "defined shmget(0, 9, 01600) && defined semget(0, 1, 01600) && defined msgget(0, 01600) || die"
"""For perl, which any user of a Debian machine can run."""


class NobodysCase(SynchronousTestCase):
    """As root, who can be anybody."""

    timeout = 60

    def setUp(self) -> None:
        only_root()
        self.addCleanup(kill_processes, UID)

    def as_user(self, *command: str, most: int = 1000) -> subprocess.Popen[bytes]:
        """Start a command, which may have so many processes and threads at the most."""
        # Not by a shell: one that does not know the limit would go on without it.
        limit = lambda: resource.setrlimit(resource.RLIMIT_NPROC, (most, most))  # noqa: E731  # one line
        process = subprocess.Popen(
            command, user=UID, group=UID, extra_groups=[], cwd="/", stdout=subprocess.PIPE, preexec_fn=limit
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        return process

    def run_as_user(self, *command: str) -> None:
        """Run a command to its end."""
        subprocess.run(command, user=UID, group=UID, extra_groups=[], cwd="/", check=True)
