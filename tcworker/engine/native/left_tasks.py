"""Processes of tasks that outlived worker, launcher and supervisors, found without control groups and users.

Where neither tells whose a process is, its folder does: a task starts with it in C{TASK_WORKDIR}, and usually works in
it. Who has both that variable and the folder's user is a task's for certain; who only works there may be somebody that
looks at what is left. For threads: it all blocks.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from twisted.logger import Logger

from tcworker.engine.native.hold import is_held, let_go, take_over
from tcworker.launcher.proc import descendants, fields
from tcworker.launcher.system import this_system

_PATIENCE = 5.0
"""Seconds that killed processes may take to be gone."""

_LOOK_PATIENCE = 5.0
"""Seconds that it may take to look at the variables of all processes."""

_STUCK = 0.5
"""Seconds without an answer about one of them, after which the others are looked at."""

_UNSURE = (
    "processes work in folders that a dead worker left, and nobody can say whether they are its tasks': {who}. End "
    "them if you know them for such; the folders go all the same"
)

# Linux lets a process decide how long somebody waits who reads its variables, or looks at its files. So this is done
# by a process that can be killed.
_LOOK = """
import json, os, sys
places, suspects = json.load(sys.stdin)
def is_task(pid, user):
    with open(f"/proc/{pid}/environ", "rb") as file:
        named = [word.partition(b"=")[2] for word in file.read().split(b"\\0") if word.startswith(b"TASK_WORKDIR=/")]
    seen = [os.stat(os.fsencode(f"/proc/{pid}/root") + path) for path in named]
    return any([entry.st_dev, entry.st_ino, user] in places for entry in seen)
for pid, user in suspects:
    try:
        print(json.dumps([pid, is_task(pid, user)]), flush=True)
    except OSError:
        print(json.dumps([pid, False]), flush=True)
"""

_Place: TypeAlias = tuple[int, int, int]
"""A folder's device, inode and user: its path may be that of another one, as other containers see it."""

_log = Logger()


class _Suspect(NamedTuple):
    """A process of a user whom one of the folders belongs to.

    @ivar start: when it started; with its number, it is no other.
    """

    pid: int
    user: int
    start: str


def kill_left_tasks(folders: Collection[str]) -> None:
    """Let no process live that is certainly of a task that had one of these folders; warn once of those that may be.

    To be called when no launcher or supervisor of theirs lives (L{tcworker.engine.native.left_launchers}).

    @param folders: those of dead workers. One that somebody holds by now is left out.
    @raise OSError: some processes do not die.
    """
    if not folders or not os.path.isdir("/proc/self"):
        return
    with _holding(folders) as held:
        places, until = _places(held), time.monotonic() + _PATIENCE
        while certain := _certain(suspects := _suspects(places), places):
            if time.monotonic() > until:
                raise OSError(errno.EBUSY, f"processes do not die although they were killed: {_named(certain)}")
            for suspect in certain:
                _kill(suspect)
            time.sleep(0.005)
        if unsure := [suspect for suspect in suspects if _works_in(suspect.pid, held)]:
            _log.warn(_UNSURE, who=_named(unsure))


@contextlib.contextmanager
def _holding(folders: Collection[str]) -> Iterator[Sequence[str]]:
    """Keep others from taking these folders, and using their names, as far as that can be; gives those to look at."""
    taken = [folder for folder in folders if take_over(folder)]
    try:
        # Without a mark, which not every file system has, a record must do.
        yield [folder for folder in folders if folder in taken or not is_held(folder)]
    finally:
        for folder in taken:
            let_go(folder)


def _places(folders: Collection[str]) -> Sequence[_Place]:
    """Those that are there."""
    found = []
    for folder in folders:
        with contextlib.suppress(OSError):
            entry = os.lstat(folder)
            found.append((entry.st_dev, entry.st_ino, entry.st_uid))
    return found


def _suspects(places: Sequence[_Place]) -> Sequence[_Suspect]:
    return list(_living({user for _, _, user in places}, _ours()))


def _living(users: Collection[int], but: Collection[int]) -> Iterator[_Suspect]:
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        user = _user_of(pid)
        if user in users and pid not in but and (seen := fields(pid)) and seen.lives:
            yield _Suspect(pid, user, seen.start)


def _ours() -> set[int]:
    """This process, those that it comes from, and those that come from it."""
    ours, pid = descendants(os.getpid()), os.getpid()
    while pid and (seen := fields(pid)):
        ours.add(pid)
        pid = seen.parent
    return ours


def _user_of(pid: int) -> int:
    """A process's user, root where it does not let itself be looked at; -1 if it is gone."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def _certain(suspects: Sequence[_Suspect], places: Sequence[_Place]) -> Sequence[_Suspect]:
    """Those that started as tasks in one of the folders."""
    until, left, found = time.monotonic() + _LOOK_PATIENCE, suspects, set()
    while left and (seconds := until - time.monotonic()) > 0:
        said = _look(places, left, min(_STUCK, seconds))
        found |= {pid for pid, is_task in said if is_task}
        # The one that time ran out at may be as good as others, unless it had all of the time.
        left = left[len(said) or 1 :]
    return [suspect for suspect in suspects if suspect.pid in found]


def _look(places: Sequence[_Place], suspects: Sequence[_Suspect], seconds: float) -> Sequence[tuple[int, bool]]:
    """Ask who of some is a task; gives the answers about the first of them, as many as there were in time."""
    question = json.dumps([places, [(suspect.pid, suspect.user) for suspect in suspects]]).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LOOK],
            input=question,
            check=False,
            capture_output=True,
            cwd="/",
            env={},
            timeout=seconds,
        )
        said: bytes | None = done.stdout
    except subprocess.TimeoutExpired as late:
        said = late.stdout
    return [(pid, is_task) for pid, is_task in map(json.loads, (said or b"").split(b"\n")[:-1])]


def _kill(suspect: _Suspect) -> None:
    """Kill a process, and those that come from it."""
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(suspect.pid)
        try:
            # Its number may be another's since it was looked at; the descriptor is nobody else's from here on.
            if (seen := fields(suspect.pid)) and seen.start == suspect.start:
                # Stopped, it starts nobody: once it is dead nobody can say any more that they were its.
                signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
                this_system().kill_all(suspect.pid, ())
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)


def _works_in(pid: int, folders: Collection[str]) -> bool:
    try:
        place = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)")
    except OSError:
        return False
    return any(place == folder or place.startswith(f"{folder}/") for folder in map(os.path.realpath, folders))


def _named(suspects: Sequence[_Suspect]) -> str:
    return ", ".join(f"{suspect.pid} ({_name_of(suspect.pid)})" for suspect in suspects)


def _name_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return ascii(file.read().strip().decode(errors="replace")).strip("'\"")
    except OSError:
        return "gone"
