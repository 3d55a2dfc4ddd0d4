"""Gives each native run somebody to run as: one user for all, or a user of its own."""

from __future__ import annotations

import contextlib
import grp
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred, succeed

from tcworker.engine.native.helpers import Helpers
from tcworker.engine.native.hold import is_left
from tcworker.engine.native.task_user import TaskUser
from tcworker.engine.native.uids import TaskUids
from tcworker.engine.native.useradd import (
    CannotChangeUsers,
    NumberTaken,
    add_user,
    groups_without_users,
    is_unused,
    remove_group,
    remove_user,
    set_password,
    users_at_home_in,
)
from tcworker.errors import ConfigError, Fault, InternalError, MalformedPayload, ResourceUnavailable
from tcworker.interfaces import Reach
from tcworker.waiting import Threads

_TRIES = 10
"""Numbers that are tried for one user."""


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

    def take(self, folder: str, groups: Sequence[str]) -> Deferred[TaskUser]:
        """Give a run a user that is a member of some groups as well. Fails with a L{tcworker.errors.TaskError}.

        @param folder: the run's, which is the user's home.

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

    def take(self, folder: str, groups: Sequence[str]) -> Deferred[TaskUser]:
        """See L{Users.take}."""
        return succeed(self.typical.joining([_gid(name) for name in groups]))

    def give_back(self, user: TaskUser) -> None:
        """See L{Users.give_back}: it stays."""


class OwnUsers:
    """A new user for each run, gone with it.

    @param helpers: make and remove them.
    """

    own = True
    reach = Reach.NOTHING

    def __init__(self, threads: Threads, uids: TaskUids, helpers: Helpers) -> None:
        self._threads, self._uids, self._helpers = threads, uids, helpers
        self.typical = TaskUser("a task's user", (uids.first, uids.first, ()))

    def check_group(self, name: str) -> None:
        """See L{Users.check_group}."""
        _gid(name)

    def take(self, folder: str, groups: Sequence[str]) -> Deferred[TaskUser]:
        """See L{Users.take}."""
        return self._threads.run(self._make, folder, groups)

    def new_number(self) -> int:
        """A number that nobody has, and no user has soon. Blocks, for threads. Raises as L{TaskUids.take}."""
        return self._uids.take(is_unused)

    def give_back(self, user: TaskUser) -> None:
        """See L{Users.give_back}."""
        self.remove(user.name, user.uid)

    def remove(self, name: str, uid: int) -> None:
        """Let nothing be left of a user; see L{remove_user}."""
        try:
            remove_user(self._helpers, name, uid)
        except OSError:
            # Files that cannot go are the machine's matter; the number is free all the same, in its turn.
            self._uids.give_back(uid)
            raise
        self._uids.give_back(uid)

    def end_left_helpers(self) -> None:
        """Let none of a dead worker's users appear any more, or go; see L{Helpers.end_left}."""
        self._helpers.end_left()

    def remove_left(self, name: str, uid: int, folder: str) -> None:
        """Let nothing be left of a dead worker's user, unless its name and number are somebody else's by now."""
        if (name, uid, folder) in users_at_home_in(os.path.dirname(folder)):
            self.remove(name, uid)

    def remove_left_in(self, tasks_dir: str) -> None:
        """Remove the users of runs whose worker died. Raises as L{Users.give_back}, after the last of them."""
        problem: Exception | None = None
        for remove in (*self._left_users(tasks_dir), *self._left_groups()):
            try:
                remove()
            except (OSError, CannotChangeUsers) as error:
                problem = error
        if problem is not None:
            raise problem

    def _left_users(self, tasks_dir: str) -> Iterator[Callable[[], None]]:
        for name, uid, home in users_at_home_in(tasks_dir):
            # A home without our mark may be that of another worker, which could not set it there.
            if not os.path.lexists(home) or is_left(home):
                yield partial(self.remove, name, uid)

    def _left_groups(self) -> Iterator[Callable[[], None]]:
        for name, gid in groups_without_users():
            # What has other numbers may be somebody else's, whatever it is called.
            if self._uids.first <= gid <= self._uids.last:
                yield partial(remove_group, self._helpers, name)

    def check(self, folder: str) -> None:
        """Make sure that users can be made and removed, by doing so. Blocks, for threads. Raises L{ConfigError}.

        @param folder: one of ours: whoever finds the user, should we die now, sees by it that nobody needs it.
        """
        try:
            user = self._make(folder, [])
            self.give_back(user)
        except (ResourceUnavailable, CannotChangeUsers, OSError) as error:
            expected = "a machine on which users can be made, or false"
            raise ConfigError([Fault("taskUsers", f"true, but {error}", expected)]) from error

    def new_password(self, user: TaskUser) -> str:
        """Let a user log in, and give the password. Blocks, for threads. Raises L{InternalError}."""
        password = secrets.token_urlsafe(24)
        try:
            set_password(self._helpers, user.name, password)
        except CannotChangeUsers as error:
            raise InternalError(f"the task's user got no password: {error}") from error
        return password

    def _make(self, folder: str, groups: Sequence[str]) -> TaskUser:
        try:
            return self._add(folder, groups)
        except (OSError, CannotChangeUsers) as error:
            raise ResourceUnavailable(f"no user for the task could be made: {error}") from error

    def _add(self, folder: str, groups: Sequence[str]) -> TaskUser:
        for _ in range(_TRIES):
            uid = self._uids.take(is_unused)
            # Another worker may have the same range, and somebody else may make users too.
            with contextlib.suppress(NumberTaken):
                name = add_user(self._helpers, uid, folder, groups)
                return TaskUser(name, (uid, uid, (uid, *map(_gid, groups))))
        raise CannotChangeUsers(f"useradd: the last {_TRIES} numbers were taken by others")


def _gid(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise MalformedPayload(f"this machine has no group {name!r}") from None


def _own_groups() -> Sequence[str]:
    return sorted(entry.gr_name for entry in grp.getgrall() if entry.gr_gid in (os.getegid(), *os.getgroups()))
