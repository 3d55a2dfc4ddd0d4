"""L{tests.engine.native.worker} where there are no control groups: root's is in a mount namespace without them."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.ordinary import leave_namespace

if __name__ == "__main__":
    if os.geteuid() == 0:
        leave_namespace()
        subprocess.run(["umount", "--recursive", "--lazy", "/sys/fs/cgroup"], check=True)
    os.execv(sys.executable, [sys.executable, "-m", "tests.engine.native.worker", *sys.argv[1:]])
