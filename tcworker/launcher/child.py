"""Starts the commands of a task."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

UMASK = 0o022

_FOLDER_IS_WRONG = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG}


class Account(NamedTuple):
    """Whom commands run as."""

    uid: int
    gid: int
    groups: Sequence[int]

    def become(self) -> None:
        """Be that user for good; only root can."""
        # In this order: each step needs the rights that the next one gives up.
        os.setgroups(self.groups)
        # For root these set the real and the saved number too; the calls that name all three are not everywhere.
        os.setgid(self.gid)
        os.setuid(self.uid)

    @property
    def options(self) -> dict[str, Any]:
        """What makes L{subprocess} start a command as that user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": self.groups}


class Surroundings(NamedTuple):
    """What all commands of a run have in common.

    @ivar account: C{None} for the user that we are.
    @ivar own_user: whether that user is this run's alone.
    """

    folder: bytes
    env: Mapping[bytes, bytes]
    account: Account | None
    own_user: bool = False

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Surroundings:
        """Read them from the message that starts a run."""
        account = Account(*message["account"]) if message["account"] else None
        return cls(to_bytes(message["folder"]), _variables(message["env"]), account, message["ownUser"])


class CannotStart(Exception):
    """A command cannot be started; the text says why.

    @ivar of_task: whether that is the task's own fault.
    """

    def __init__(self, of_task: bool, text: str) -> None:
        super().__init__(text)
        self.of_task = of_task


def to_bytes(text: str) -> bytes:
    """As the kernel takes names and arguments, whatever the locale is."""
    return text.encode("utf-8", "surrogateescape")


def start(
    surroundings: Surroundings, argv: Sequence[str], env: Mapping[str, str], stdio: Sequence[int]
) -> subprocess.Popen[bytes]:
    """Start a command, with a session of its own. Raises L{CannotStart}.

    @param env: variables beside those of the surroundings.
    @param stdio: three descriptors, or one of a terminal.
    """
    has_terminal = len(stdio) == 1
    stdin, stdout, stderr = [*stdio, *stdio, *stdio][:3] if has_terminal else stdio
    command, variables = [to_bytes(argument) for argument in argv], {**surroundings.env, **_variables(env)}
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=surroundings.folder,
            env=variables,
            umask=UMASK,
            start_new_session=True,
            # Ours close by themselves. Without a terminal no Python runs between fork and exec, and as long as the user
            # stays the same the command borrows our memory instead of copying it: that halves what a start costs.
            close_fds=False,
            preexec_fn=_take_terminal if has_terminal else None,
            **(surroundings.account.options if surroundings.account else {}),
        )
    except OSError as error:
        raise _explain(error, surroundings, command[0], variables) from error
    except (ValueError, subprocess.SubprocessError) as error:
        raise _not_set_up(error) from error


def _variables(env: Mapping[str, str]) -> dict[bytes, bytes]:
    return {to_bytes(name): to_bytes(value) for name, value in env.items()}


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _explain(error: OSError, surroundings: Surroundings, name: bytes, variables: Mapping[bytes, bytes]) -> CannotStart:
    # The names tell what failed: that of the program is given for the exec alone.
    if error.filename is None:
        return CannotStart(False, f"no process could be made: {error.strerror}")
    if error.filename == surroundings.folder:
        # What else fails before the command runs is told under the same name.
        if error.errno in _FOLDER_IS_WRONG:
            return CannotStart(True, f"the task's folder cannot be entered: {error.strerror}")
        return _not_set_up(error)
    shown, path = _to_text(name), variables.get(b"PATH", os.fsencode(os.defpath))
    if error.errno == errno.EACCES and b"/" not in name:
        # One folder that is closed to the user is enough for that, though the program be in none.
        return CannotStart(True, f"{shown} was not found in PATH {_to_text(path)}, or may not be executed")
    if error.errno == errno.EACCES:
        return CannotStart(True, f"{shown} is not executable")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return CannotStart(True, _why_missing(surroundings, name, path))
    return CannotStart(True, f"{shown} could not be executed: {error.strerror}")


def _not_set_up(error: Exception) -> CannotStart:
    return CannotStart(False, f"its process could not be set up: {error!r}")


def _why_missing(surroundings: Surroundings, name: bytes, path: bytes) -> str:
    """The kernel says of a script that it is not there when its interpreter is not."""
    place = "" if b"/" in name else f" in PATH {_to_text(path)}"
    missing = f"{_to_text(name)} was not found{place}"
    if surroundings.account is not None:
        # We would see more than the task may.
        return f"{missing}, or the interpreter that its first line names was not"
    for candidate in _candidates(name, path):
        if os.path.isfile(os.path.join(surroundings.folder, candidate)):
            return f"the interpreter that {_to_text(candidate)} names in its first line was not found"
    return missing


def _candidates(name: bytes, path: bytes) -> Iterator[bytes]:
    if b"/" in name:
        yield name
    else:
        yield from (os.path.join(folder, name) for folder in path.split(os.fsencode(os.pathsep)))


def _to_text(name: bytes) -> str:
    return name.decode("utf-8", "replace") or "''"
