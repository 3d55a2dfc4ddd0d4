"""Whom native tasks run as."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass

from tcworker.errors import ConfigError, Fault


@dataclass(frozen=True)
class TaskUser:
    """A user that tasks run as.

    @ivar switch: uid, gid and groups to change to; C{None} when it is the worker's own user.
    """

    name: str
    switch: tuple[int, int, Sequence[int]] | None = None

    @property
    def owner(self) -> tuple[int, int] | None:
        """Uid and gid for what belongs to tasks; C{None} when it is theirs anyway."""
        return self.switch[:2] if self.switch else None


def find_user(name: str | None) -> TaskUser:
    """Look up the configured account, C{None} for the worker's own. Raises L{ConfigError}."""
    if name is None:
        return TaskUser(_own_name())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise _fault(name, "the name of an account of this machine") from None
    if entry.pw_uid == os.geteuid():
        return TaskUser(name)
    if os.geteuid() != 0:
        raise _fault(name, "no other account than the worker's own, since only root can run tasks as somebody else")
    return TaskUser(name, (entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid))))


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _fault(name: str, expected: str) -> ConfigError:
    return ConfigError([Fault("taskUser", name, expected)])
