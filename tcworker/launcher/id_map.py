"""Lets one user see as its own what belongs to another on the disk: numbers are mapped by a user namespace."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

from tcworker.launcher.mount_calls import CLONE_NEWUSER, call

Owner = tuple[int, int]
"""Numbers of a user and a group."""


def new_map(on_disk: Owner, seen: Owner) -> int:
    """Give a descriptor of a user namespace in which one owner stands for another; raises C{OSError}."""
    ready, says_ready = os.pipe()
    may_go, lets_go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(lets_go)
        _be_in_one(says_ready, may_go)
    os.close(says_ready)
    os.close(may_go)
    try:
        if not os.read(ready, 1):
            raise PermissionError(errno.EPERM, "no user namespace can be made")
        return _map(pid, on_disk, seen)
    finally:
        os.close(ready)
        os.close(lets_go)
        os.waitpid(pid, 0)


def _map(pid: int, on_disk: Owner, seen: Owner) -> int:
    for name, before, after in zip(("uid_map", "gid_map"), on_disk, seen, strict=True):
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write(f"{before} {after} 1\n")
    return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def _be_in_one(says_ready: int, may_go: int) -> NoReturn:
    """Be there until its numbers are mapped; the namespace lives on by who has it open."""
    try:
        call("unshare", CLONE_NEWUSER)
        os.write(says_ready, b"+")
        os.read(may_go, 1)
    finally:
        os._exit(0)
