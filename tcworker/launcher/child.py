"""Turns a forked process into a command of a task."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import termios
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from tcworker.launcher.system import System

UMASK = 0o022


class Account(NamedTuple):
    """Whom commands run as."""

    uid: int
    gid: int
    groups: Sequence[int]

    def become(self) -> None:
        """Be that user for good; only root can."""
        # In this order: each step needs the rights that the next one gives up.
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)


class Surroundings(NamedTuple):
    """What all commands of a run have in common.

    @ivar account: C{None} for the user that we are.
    @ivar group: the control group, C{None} without one.
    """

    folder: str
    env: Mapping[str, str]
    account: Account | None
    group: str | None

    @classmethod
    def of(cls, message: Mapping[str, Any], group: str | None) -> Surroundings:
        """Read them from the message that starts a run."""
        account = Account(*message["account"]) if message["account"] else None
        return cls(message["folder"], message["env"], account, group)


class CannotStart(Exception):
    """A command cannot be started; the text says why."""


class Problem(NamedTuple):
    """Why a command did not start.

    @ivar of_task: whether that is the task's own fault.
    """

    of_task: bool
    text: str

    def encode(self) -> bytes:
        """For a pipe."""
        return (b"T" if self.of_task else b"W") + to_bytes(self.text)

    @classmethod
    def decode(cls, data: bytes) -> Problem:
        """From a pipe."""
        return cls(data[:1] == b"T", data[1:].decode("utf-8", "replace"))


def to_bytes(text: str) -> bytes:
    """As the kernel takes names and arguments, whatever the locale is."""
    return text.encode("utf-8", "surrogateescape")


def execute(
    system: System,
    surroundings: Surroundings,
    argv: Sequence[str],
    env: Mapping[str, str],
    stdio: Sequence[int],
    problem: int,
) -> NoReturn:
    """Become the command; called in a process just forked.

    @param stdio: three descriptors, or one of a terminal.
    @param problem: a descriptor that is told why it could not be (L{Problem}); it closes when the command runs.
    """
    try:
        _set_up(system, surroundings, stdio)
        _enter(surroundings.folder)
        _exec(argv, {**surroundings.env, **env})
    except CannotStart as error:
        os.write(problem, Problem(True, str(error)).encode())
    except BaseException as error:
        os.write(problem, Problem(False, f"its process could not be set up: {error!r}").encode())
    os._exit(127)


def reset_signals() -> None:
    """Give a forked process the signals of a fresh one."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _set_up(system: System, surroundings: Surroundings, stdio: Sequence[int]) -> None:
    reset_signals()
    os.setsid()
    system.prepare_task()
    if len(stdio) == 1:
        fcntl.ioctl(stdio[0], termios.TIOCSCTTY, 0)
        stdio = [*stdio, *stdio, *stdio]
    for number, descriptor in enumerate(stdio):
        os.dup2(descriptor, number)
    if surroundings.account is not None:
        surroundings.account.become()
    os.umask(UMASK)


def _enter(folder: str) -> None:
    try:
        os.chdir(to_bytes(folder))
    except OSError as error:
        raise CannotStart(f"the task's folder cannot be entered: {error.strerror}") from None


def _exec(argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    arguments = [to_bytes(argument) for argument in argv]
    variables = {to_bytes(name): to_bytes(value) for name, value in env.items()}
    refused: OSError | None = None
    for path in _candidates(argv[0], env.get("PATH", os.defpath)):
        try:
            os.execve(to_bytes(path), arguments, variables)
        except (FileNotFoundError, NotADirectoryError):
            # The kernel says the same of a script whose interpreter it does not find.
            if os.path.isfile(path):
                raise CannotStart(f"the interpreter that {path} names in its first line was not found") from None
        except OSError as error:
            refused = refused or error
            if error.errno != errno.EACCES:
                break
    raise CannotStart(_why(argv[0], env, refused))


def _candidates(name: str, path: str) -> Iterator[str]:
    if "/" in name:
        yield name
    else:
        yield from (os.path.join(folder, name) for folder in path.split(os.pathsep))


def _why(name: str, env: Mapping[str, str], refused: OSError | None) -> str:
    if refused is None:
        place = "" if "/" in name else f" in PATH {env.get('PATH', os.defpath)}"
        return f"{name} was not found{place}"
    if refused.errno == errno.EACCES:
        return f"{name} is not executable"
    return f"{name} could not be executed: {refused.strerror}"
