"""Whom native tasks run as."""

from __future__ import annotations

import os
import pwd
import stat
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

    @property
    def uid(self) -> int:
        """Its number."""
        return self.switch[0] if self.switch else os.geteuid()

    def joining(self, groups: Sequence[int]) -> TaskUser:
        """The same user, in some groups as well."""
        if not groups or self.switch is None:
            return self
        uid, gid, before = self.switch
        return TaskUser(self.name, (uid, gid, tuple(dict.fromkeys((*before, *groups)))))


def find_user(name: str | None) -> TaskUser:
    """Look up the configured account, C{None} for the worker's own. Raises L{ConfigError}."""
    if name is None:
        return TaskUser(_own_name())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise _fault(name, "the name of an account of this machine") from None
    # Changing to ourselves would need rights that an ordinary user does not have.
    if entry.pw_uid == os.geteuid():
        return TaskUser(name)
    if os.geteuid() != 0:
        raise _fault(name, "no other account than the worker's own, since only root can run tasks as somebody else")
    return TaskUser(name, (entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid))))


def check_way(path: str, user: TaskUser) -> None:
    """Make sure that a user can reach a folder, and that nobody can put another in its place. Raises L{ConfigError}."""
    if user.switch is None:
        return
    folders = [path]
    while folders[-1] != os.path.dirname(folders[-1]):
        folders.append(os.path.dirname(folders[-1]))
    # From the top, so that the first that is wrong is named.
    for folder in reversed(folders):
        entry = os.stat(folder)
        if not _may_enter(entry, *user.switch):
            expected = f"a folder that {user.name} can reach: {folder} is closed to it (chmod o+x {folder})"
            raise ConfigError([Fault("tasksDir", path, expected)])
        if _others_may_change(entry):
            expected = f"a folder that only root can change the way to: others may change {folder}"
            raise ConfigError([Fault("tasksDir", path, expected)])


def may_write(entry: os.stat_result, user: TaskUser) -> bool:
    """Whether a user that is not the worker's own may make files in a folder."""
    return user.switch is not None and _may(stat.S_IWOTH, entry, *user.switch)


def _may_enter(entry: os.stat_result, uid: int, gid: int, groups: Sequence[int]) -> bool:
    return _may(stat.S_IXOTH, entry, uid, gid, groups)


def _may(right: int, entry: os.stat_result, uid: int, gid: int, groups: Sequence[int]) -> bool:
    """Whether somebody has a right, which is given as that of others."""
    if entry.st_uid == uid:
        right <<= 6
    elif entry.st_gid in (gid, *groups):
        right <<= 3
    return bool(entry.st_mode & right)


def _others_may_change(entry: os.stat_result) -> bool:
    # In a sticky folder everybody may make something, and take away no more than that.
    writable = entry.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not entry.st_mode & stat.S_ISVTX
    return entry.st_uid not in (0, os.geteuid()) or bool(writable)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _fault(name: str, expected: str) -> ConfigError:
    return ConfigError([Fault("taskUser", name, expected)])
