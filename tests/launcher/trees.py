"""Control groups as a tree of ordinary files, for what no machine of the tests has."""

from __future__ import annotations

import os
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher import cgroup_v1, cgroup_v2, cgroups

V1_MEMORY: Mapping[str, str] = {
    "cgroup.procs": "",
    "memory.limit_in_bytes": "9223372036854771712",
    "memory.memsw.limit_in_bytes": "9223372036854771712",
    "memory.usage_in_bytes": "1000000",
    "memory.stat": "cache 1\ntotal_active_file 200000\ntotal_inactive_file 300000\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
}
V1_PIDS: Mapping[str, str] = {"cgroup.procs": "", "pids.max": "max", "pids.events": "max 5\n"}
V1_CPU: Mapping[str, str] = {
    "cgroup.procs": "",
    "cpu.cfs_period_us": "100000",
    "cpu.cfs_quota_us": "-1",
    "cpuacct.usage": "2500000000",
}
V2: Mapping[str, str] = {
    "cgroup.type": "domain",
    "cgroup.procs": "",
    "cgroup.kill": "",
    "cgroup.controllers": "cpu memory pids",
    "cgroup.subtree_control": "",
    "cpu.max": "max 100000",
    "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
    "memory.max": "max",
    "memory.swap.max": "max",
    "memory.current": "1000000",
    "memory.stat": "anon 1\nactive_file 200000\ninactive_file 300000\nslab_reclaimable 100000\n",
    "memory.events": "max 0\noom 9\noom_kill 3\noom_group_kill 0\n",
    "pids.max": "max",
    "pids.events": "max 5\n",
}


def fill(folder: str, files: Mapping[str, str]) -> str:
    """Make a folder with files, and give its path."""
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    return folder


def said(folder: str, name: str) -> str:
    """What a file holds."""
    with open(os.path.join(folder, name)) as file:
        return file.read()


class TreeCase(SynchronousTestCase):
    """Tests with a tree whose folders have files from their birth, and go with them."""

    def grow(self, files: Mapping[str, str]) -> str:
        """A group, in which all that are made have such files."""
        make, take_away, top = os.mkdir, os.rmdir, os.path.abspath(self.mktemp())

        def make_group(path: str, mode: int = 0o777) -> None:
            make(path, mode)
            if path.startswith(f"{top}/"):
                fill(path, files)

        def remove_group(path: str) -> None:
            for name in os.listdir(path):
                os.unlink(os.path.join(path, name))
            take_away(path)

        self.patch(os, "mkdir", make_group)
        self.patch(os, "rmdir", remove_group)
        # Files are no kernel's: what was there before would stay behind what is written.
        for module in (cgroups, cgroup_v1, cgroup_v2):
            self.patch(module, "write", write)
        return fill(top, files)


def write(path: str, value: str) -> None:
    """As L{tcworker.launcher.cgroups.write}, in place of all that was there."""
    with open(path, "r+") as file:
        file.truncate()
        file.write(value)
