"""A disk that is too small, which only those see who are put before it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from twisted.trial.unittest import TestCase

from tcworker.watch.disks import MEGABYTE, Disk
from tests.integration.processes import Command

FILES = 20_000


class SmallDisk:
    """A file system in memory, mounted in a namespace of its own, that goes with the process which holds that.

    @ivar path: where it is, for those within.
    @ivar seen: where it is for all others.
    """

    def __init__(self, path: str, holder: Command) -> None:
        self.path = path
        self.seen = f"/proc/{holder.pid}/root{path}"
        self._holder = holder

    @classmethod
    async def mount(cls, test: TestCase, path: str, megabytes: int) -> SmallDisk:
        """Make one of so many MiB; it is gone after the test."""
        os.mkdir(path)
        mount = f"mount -t tmpfs -o size={megabytes}m,nr_inodes={FILES},mode=755 small {path}"
        script = f"{mount} && echo mounted && exec sleep infinity"
        unshare = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
        holder = Command((_program(unshare[0]), *unshare[1:]))
        test.addCleanup(holder.kill)
        await holder.until_printed("mounted")
        return cls(path, holder)

    def before(self, arguments: Sequence[str]) -> Sequence[str]:
        """Give what runs a command that sees it."""
        return [_program("nsenter"), f"--mount=/proc/{self._holder.pid}/ns/mnt", "--", *arguments]

    @property
    def free(self) -> int:
        """MiB that are left on it."""
        return Disk.of(self.seen).free // MEGABYTE


def _program(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, name
    return path
