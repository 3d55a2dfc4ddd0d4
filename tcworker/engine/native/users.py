"""Gives each native run somebody to run as: one user for all, or a user of its own."""

from __future__ import annotations

import grp
import os
import pwd
import secrets
from collections.abc import Iterator, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred, succeed

from tcworker.config import Config
from tcworker.engine.native.account import TaskUser, find_user
from tcworker.engine.native.accounts import (
    CannotChangeUsers,
    add_user,
    is_unused,
    missing_programs,
    remove_user,
    set_password,
    users_at_home_in,
)
from tcworker.engine.native.hold import held, held_by_another
from tcworker.engine.native.uids import OUT_OF_USE, TaskUids
from tcworker.errors import ConfigError, Fault, InternalError, MalformedPayload, ResourceUnavailable
from tcworker.interfaces import Reach
from tcworker.waiting import Threads


class Users(Protocol):
    """Gives each run somebody to run as.

    @ivar reach: what a run can reach of one before it.
    @ivar own: whether a user is one run's alone.
    @ivar typical: a user such as they are given.
    """

    own: bool

    @property
    def reach(self) -> Reach: ...

    @property
    def typical(self) -> TaskUser: ...

    def check_group(self, name: str) -> None:
        """Make sure that a run can have a group. Raises L{MalformedPayload}."""

    def take(self, home: str, groups: Sequence[str]) -> Deferred[TaskUser]:
        """Give a run a user that is a member of some groups as well. Fails with a L{tcworker.errors.TaskError}.

        It cannot be cancelled: who wants it no more waits for it and gives it back.
        """

    def give_back(self, user: TaskUser) -> None:
        """The run is over. Blocks, for threads.

        @raise CannotChangeUsers: the user is still there. C{OSError}: files of it are.
        """


class OneUser:
    """One user for all runs: the worker's own, or an account that the configuration names."""

    own = False

    def __init__(self, user: TaskUser) -> None:
        self.typical = user

    @property
    def reach(self) -> Reach:
        """See L{Users}."""
        return Reach.WORKER if self.typical.switch is None else Reach.EACH_OTHER

    def check_group(self, name: str) -> None:
        """See L{Users.check_group}."""
        gid = _gid(name)
        # Where tasks run as the worker does, nothing is changed on their way (contracts of generic-worker, 1).
        if self.typical.switch is None and gid not in (os.getegid(), *os.getgroups()):
            raise MalformedPayload(
                f"tasks cannot be in group {name} on this worker, only in {', '.join(_own_groups()) or 'none'}, which "
                "its user is in"
            )

    def take(self, home: str, groups: Sequence[str]) -> Deferred[TaskUser]:
        """See L{Users.take}."""
        return succeed(self.typical.joining([_gid(name) for name in groups]))

    def give_back(self, user: TaskUser) -> None:
        """See L{Users.give_back}: it stays."""


class OwnUsers:
    """A new user for each run, gone with it."""

    own = True
    reach = Reach.NOTHING

    def __init__(self, threads: Threads, uids: TaskUids) -> None:
        self._threads, self._uids = threads, uids
        self.typical = TaskUser("a task's user", (uids.first, uids.first, ()))

    def check_group(self, name: str) -> None:
        """See L{Users.check_group}."""
        _gid(name)

    def take(self, home: str, groups: Sequence[str]) -> Deferred[TaskUser]:
        """See L{Users.take}."""
        return self._threads.run(self._make, home, groups)

    def give_back(self, user: TaskUser) -> None:
        """See L{Users.give_back}."""
        assert user.switch is not None
        self.remove(user.name, user.switch[0])

    def remove(self, name: str, uid: int) -> None:
        """Let nothing be left of a user; see L{remove_user}."""
        try:
            remove_user(name, uid)
        except OSError:
            # Files that cannot go are the machine's matter; the number is free all the same, in its turn.
            self._uids.give_back(uid)
            raise
        self._uids.give_back(uid)

    def remove_left_in(self, tasks_dir: str) -> None:
        """Remove the users of runs whose worker died. Raises as L{Users.give_back}, after the last of them."""
        problem: Exception | None = None
        for name, uid, home in users_at_home_in(tasks_dir):
            if held(home) or held_by_another(home):
                continue
            try:
                self.remove(name, uid)
            except (OSError, CannotChangeUsers) as error:
                problem = error
        if problem is not None:
            raise problem

    def _make(self, home: str, groups: Sequence[str]) -> TaskUser:
        try:
            uid = self._uids.take(is_unused)
            name = add_user(uid, home, groups)
        except (OSError, CannotChangeUsers) as error:
            raise ResourceUnavailable(f"no user for the task could be made: {error}") from error
        entry = pwd.getpwnam(name)
        return TaskUser(name, (uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid))))


def choose_users(config: Config, own: OwnUsers) -> Users:
    """Give what a configuration asks for. Raises L{ConfigError}."""
    if not config.own_users:
        return OneUser(find_user(config.task_user))
    if faults := list(_faults(config)):
        raise ConfigError(faults)
    return own


def _faults(config: Config) -> Iterator[Fault]:
    if os.geteuid() != 0:
        yield Fault("taskUsers", "true", "false, since only root can make users")
    if config.task_user is not None:
        yield Fault("taskUsers", "true", f"false, since all tasks shall run as {config.task_user} (taskUser)")
    if set(config.tasks_dir) & set(":\n"):
        yield Fault("tasksDir", config.tasks_dir, "a path that can be a user's home, without : and newlines")
    first, last = config.task_uid_range
    least = OUT_OF_USE + 2 * config.capacity
    if last - first + 1 < least:
        found = f"{first} to {last}"
        yield Fault("taskUidRange", found, f"{least} numbers or more: each rests while {OUT_OF_USE} others are used")


def check_programs() -> None:
    """Make sure that users can be made here. Raises L{ConfigError}."""
    if programs := missing_programs():
        expected = f"a machine with {', '.join(programs)} (Debian: package passwd), or false"
        raise ConfigError([Fault("taskUsers", "true", expected)])


def new_password(user: TaskUser) -> str:
    """Let a user log in, and give the password. Blocks, for threads. Raises L{InternalError}."""
    password = secrets.token_urlsafe(24)
    try:
        set_password(user.name, password)
    except CannotChangeUsers as error:
        raise InternalError(f"the task's user got no password: {error}") from error
    return password


def _gid(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise MalformedPayload(f"this machine has no group {name!r}") from None


def _own_groups() -> Sequence[str]:
    return sorted(entry.gr_name for entry in grp.getgrall() if entry.gr_gid in (os.getegid(), *os.getgroups()))
