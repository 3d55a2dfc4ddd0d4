"""The system's own programs that change the users of this machine. For threads: it all blocks.

They outlive a worker that is killed: a user may appear long after its worker's death. Each holds a lock in the worker's
state directory, which ends with it in any case, so that the next worker can wait for that.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence

from tcworker.engine.native.left_launchers import kill_one

PROGRAMS = ("useradd", "userdel", "groupdel", "chpasswd")

LOCK = "helpers.lock"

_PATIENCE = 20.0
"""Seconds that one may take: a living worker kills it then, and so does the next one."""

_DEATH = 5.0
"""Seconds that killed ones may take to be gone."""

_FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin"


def missing_programs() -> Sequence[str]:
    """Those of L{PROGRAMS} that this machine does not have."""
    return [program for program in PROGRAMS if shutil.which(program, path=_FOLDERS) is None]


class Helpers:
    """Runs L{PROGRAMS} for one worker.

    @param folder: the worker's state directory; made when it is not there.
    """

    def __init__(self, folder: str) -> None:
        self._folder, self._path = folder, os.path.join(folder, LOCK)

    def run(self, command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
        """Run one, with some text to read. Raises C{OSError} or C{subprocess.SubprocessError}."""
        environment = {"PATH": _FOLDERS, "LC_ALL": "C"}
        program = shutil.which(command[0], path=_FOLDERS) or command[0]
        with self._open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            return subprocess.run(
                [program, *command[1:]],
                input=text,
                env=environment,
                cwd="/",
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
                # It shares the lock, which is there until both have closed it.
                pass_fds=[lock],
            )

    def end_left(self) -> None:
        """Return when none runs that a dead worker started.

        Each has the time that it would have had: one that is killed in the middle of its work leaves half of a user. To
        be called by who holds the state directory.

        @raise OSError: some do not end.
        """
        end = time.monotonic() + _PATIENCE
        with self._open() as lock:
            while not _is_free(lock):
                if time.monotonic() > end + _DEATH:
                    raise OSError(errno.EBUSY, f"processes with {self._path} open do not end: {self._holders()}")
                if time.monotonic() > end:
                    self._kill()
                time.sleep(0.01)

    @contextlib.contextmanager
    def _open(self) -> Iterator[int]:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            yield lock
        finally:
            os.close(lock)

    def _holders(self) -> Sequence[int]:
        """Processes other than this one that have the lock's file open."""
        path = os.path.realpath(self._path)
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc/self") else []
        return [pid for pid in pids if pid != os.getpid() and path in _opened_by(pid)]

    def _kill(self) -> None:
        for pid in self._holders():
            # Whatever else has it open got it from one of them, and is not ours to kill.
            if _name(pid) in PROGRAMS:
                kill_one(pid)


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _opened_by(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                yield os.readlink(os.path.join(folder, name))


def _name(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
        return file.read().strip()
    return ""
