"""Makes users of this machine and takes them away again, with the system's own programs. For threads: it all blocks."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from tcworker.engine.native.helpers import Helpers
from tcworker.engine.native.ipc import has_ipc, remove_ipc
from tcworker.engine.native.kill import kill_processes, processes_of
from tcworker.engine.native.shared_folders import SHARED_FOLDERS, SPOOLS, remove_files
from tcworker.retry import Backoff

K = TypeVar("K")

PREFIX = "task_"
"""How the names of tasks' users begin."""

_BUSY = (1, 10, 16, 18)
"""What C{useradd} and C{userdel} end with while another program has locked users, groups, or numbers to map."""

_TAKEN = (4, 9)
_NOT_THERE = 6

_BUSY_PATIENCE = 60.0
"""Seconds for which others may change the users: several workers of one machine do that all the time."""

_PAUSES = Backoff(0.05, 0.5)


class CannotChangeUsers(Exception):
    """A user could not be made or removed; the text says why."""


class NumberTaken(CannotChangeUsers):
    """Somebody else has the number, or the name that goes with it."""


def is_unused(uid: int) -> bool:
    """Whether no user, group, process or IPC object has a number, nor the name that goes with it."""
    name = f"{PREFIX}{uid}"
    numbered = _has(pwd.getpwuid, uid) or _has(grp.getgrgid, uid)
    # A group may have been left: as long as it is there, no user of its name can be made.
    named = _has(pwd.getpwnam, name) or _has(grp.getgrnam, name)
    return not (numbered or named or has_ipc(uid) or processes_of(uid))


def add_user(helpers: Helpers, uid: int, home: str, groups: Sequence[str]) -> str:
    """Make a user with a group of its own and the same number, and give its name.

    @raise NumberTaken: another one will do. L{CannotChangeUsers}: none will.
    """
    name = f"{PREFIX}{uid}"
    options = ["--user-group", "--no-create-home", "--no-log-init", "--home-dir", home, "--shell", _shell()]
    # Without numbers to map for containers of its own: there are not so many for thousands of users.
    options += ["-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0"]
    # That of the group, also beyond those that people have: any other would be given again at once.
    options += ["-K", f"GID_MIN={uid}", "-K", f"GID_MAX={uid}"]
    if groups:
        options += ["--groups", ",".join(groups)]
    _run(helpers, ["useradd", "--uid", str(uid), *options, name])
    return name


def set_password(helpers: Helpers, name: str, password: str) -> None:
    """Let a user log in. Raises L{CannotChangeUsers}."""
    _run(helpers, ["chpasswd"], f"{name}:{password}\n")


def remove_user(helpers: Helpers, name: str, uid: int) -> None:
    """Let nothing be left of a user: processes, IPC objects, files in shared folders, the account.

    The account stays as long as a process or an IPC object has its number. Raises L{CannotChangeUsers} then, and
    C{OSError} for a file that cannot go.
    """
    # First of all what would start something for it later.
    remove_files(uid, SPOOLS)
    if left := kill_processes(uid):
        raise CannotChangeUsers(f"user {name} stays: processes {sorted(left)} of it do not die")
    remove_ipc(uid)
    if has_ipc(uid):
        raise CannotChangeUsers(f"user {name} stays: some of its IPC objects cannot be removed (see ipcs)")
    try:
        remove_files(uid, SHARED_FOLDERS)
    finally:
        _remove_account(helpers, name, uid)


def _remove_account(helpers: Helpers, name: str, uid: int) -> None:
    # Only what we made: the name may be somebody else's by now.
    if _has(pwd.getpwnam, name) and pwd.getpwnam(name).pw_uid == uid:
        _run(helpers, ["userdel", name], fine=(0, _NOT_THERE))
    # Not every system takes a user's own group away with it.
    remove_group(helpers, name)


def remove_group(helpers: Helpers, name: str) -> None:
    """Remove the group of a user that is gone. Raises L{CannotChangeUsers}."""
    if _has(grp.getgrnam, name) and not _has(pwd.getpwnam, name):
        _run(helpers, ["groupdel", name], fine=(0, _NOT_THERE))


def groups_without_users() -> Sequence[tuple[str, int]]:
    """Name and number of the groups of tasks' users that are gone, whose removal somebody killed in its middle."""
    users = {entry.pw_name for entry in pwd.getpwall()}
    found = [(entry.gr_name, entry.gr_gid) for entry in grp.getgrall()]
    return [group for group in found if group[0] == f"{PREFIX}{group[1]}" and group[0] not in users]


def users_at_home_in(folder: str) -> Sequence[tuple[str, int, str]]:
    """Name, number and home of all tasks' users whose homes are right in a folder."""
    found = [(entry.pw_name, entry.pw_uid, entry.pw_dir) for entry in pwd.getpwall()]
    return [user for user in found if user[0] == f"{PREFIX}{user[1]}" and os.path.dirname(user[2]) == folder]


def _has(look_up: Callable[[K], object], key: K) -> bool:
    try:
        look_up(key)
    except KeyError:
        return False
    return True


def _shell() -> str:
    return "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"


def _run(helpers: Helpers, command: Sequence[str], text: str = "", fine: Sequence[int] = (0,)) -> None:
    """Run one of the programs, again while others change the users; C{fine}: what it may end with."""
    end = time.monotonic() + _BUSY_PATIENCE
    # Short ones, that scatter: nobody queues for the lock, so whoever waits for long is always too late.
    for delay in _PAUSES.delays():
        ended = _run_once(helpers, command, text)
        if ended.returncode in fine:
            return
        if ended.returncode not in _BUSY or time.monotonic() + delay > end:
            break
        time.sleep(delay)
    said = ended.stderr.strip() or f"ended with {ended.returncode}"
    kind = NumberTaken if ended.returncode in _TAKEN else CannotChangeUsers
    raise kind(f"{command[0]}: {said}")


def _run_once(helpers: Helpers, command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
    try:
        return helpers.run(command, text)
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotChangeUsers(f"{command[0]} could not be run: {error}") from error
