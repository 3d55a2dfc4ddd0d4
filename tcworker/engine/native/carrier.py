"""Moves folders to other places, by copying where those are on another disk. For threads: it takes its time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

from tcworker.engine.native.ways import Identity, identity_of
from tcworker.removal import Unwanted, remove

_CLONE = 0x40049409
"""Lets a file have the blocks of another one, on disks that can share them until one of the two changes."""

_PIECE = 1 << 20
_COPY = "copy"
_OF_DISKS = {number: os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)}
"""What disks refuse, as programs say it."""


class Carrier:
    """Moves and copies for one run.

    @ivar scratch: a folder on the disk of that run's that nobody else can reach: nothing is copied where a task could
        change it meanwhile.
    """

    def __init__(self, scratch: str) -> None:
        self.scratch = scratch
        self._number = 0
        self._copying: subprocess.Popen[str] | None = None
        self._guard = threading.Lock()
        self._stopped = False

    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped

    def stop(self) -> None:
        """Let what is copied now fail, and all copies that follow. From any thread."""
        with self._guard:
            self._stopped = True
            if self._copying is not None:
                self._copying.kill()

    def new_folder(self, name: str) -> str:
        """Make an empty folder in the scratch. Raises C{OSError}."""
        self._number += 1
        path = os.path.join(self.scratch, f"{name}-{self._number}")
        os.mkdir(path, 0o700)
        return path

    def is_of_copy(self, path: str) -> bool:
        """Whether a path is that of a folder that L{copy} makes."""
        return path.startswith(os.path.join(self.scratch, f"{_COPY}-"))

    def move_in(self, source: str, target: int, name: str, coming: Callable[[Identity], None]) -> tuple[Identity, bool]:
        """Move a folder into an open one, or copy it. Raises C{OSError}: it is where it was then.

        @param coming: is told, before, what will be there.
        @return: the last that it was told; and whether it was copied: where it was it is still, and not needed any
            more once the copy is used.
        """
        identity = identity_of(os.lstat(source))
        coming(identity)
        try:
            os.rename(source, name, dst_dir_fd=target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy = self.copy(source)
            identity = identity_of(os.lstat(copy))
            coming(identity)
            os.rename(copy, name, dst_dir_fd=target)
            return identity, True
        return identity, False

    def set_aside(self, source: int, name: str, aside: str, identity: Identity) -> None:
        """Move a folder that has a name in an open one to where only we reach it. Raises C{OSError}.

        @param aside: in the scratch, where nothing is.
        @param identity: its own; another one is no folder.
        """
        os.rename(name, aside, src_dir_fd=source)
        found = os.lstat(aside)
        if not stat.S_ISDIR(found.st_mode) or identity_of(found) != identity:
            raise NotADirectoryError(errno.ENOTDIR, "not the folder that it was", name)

    def move_back(self, aside: str, target: str) -> None:
        """Move what was set aside to a path, where nothing is. Raises C{OSError}: it is where it was then."""
        try:
            os.rename(aside, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            os.mkdir(target, 0o700)
            self._copy(aside, target)
            # What does not go, or takes too long, goes with the scratch.
            with contextlib.suppress(OSError, Unwanted):
                remove(aside, wanted=lambda: not self._stopped)

    def copy(self, source: str) -> str:
        """Copy a folder into the scratch, and give the path. Raises C{OSError}."""
        path = self.new_folder(_COPY)
        self._copy(source, path)
        return path

    def _copy(self, source: str, target: str) -> None:
        try:
            self._copy_content(source, target)
        except BaseException:
            # Why there is no copy matters more than what is left of it, which goes with its folder.
            with contextlib.suppress(OSError):
                remove(target)
            raise

    def _copy_content(self, source: str, target: str) -> None:
        with _opened(source) as source_folder, _opened(target) as target_folder:
            with self._guard:
                if self._stopped:
                    raise _cancelled()
                copying = self._copying = _start_copying(source_folder, target_folder)
            said = _last_line(copying)
        with self._guard:
            self._copying = None
        if copying.returncode != 0:
            raise _why(said, target)


def _start_copying(source: int, target: int) -> subprocess.Popen[str]:
    """Begin to copy all that is in a folder into another one, both of which are open.

    Whom the one belongs to does that, and not root: whoever kept a descriptor of a folder in it can put a link to the
    machine's files in the place of that meanwhile.
    """
    owner: int | None = os.fstat(source).st_uid
    if os.geteuid() != 0 or not owner:
        owner = None
    else:
        os.fchown(target, owner, os.fstat(source).st_gid)
    # Links, holes and more: nothing that this program does not know how to copy.
    options = ["--reflink=auto"] if sys.platform == "linux" else []
    return subprocess.Popen(
        ["cp", "-a", *options, "--", f"/dev/fd/{source}/.", f"/dev/fd/{target}"],
        env={"PATH": os.defpath, "LC_ALL": "C"},
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        pass_fds=(source, target),
        user=owner,
        group=None if owner is None else os.fstat(source).st_gid,
        extra_groups=None if owner is None else [],
    )


def copy_file(source: str, target: int, stopped: Callable[[], bool] = bool) -> None:
    """Copy a file into an open one, which is empty. Raises C{OSError}, also once it is told that it shall stop."""
    with open(source, "rb") as file:
        try:
            fcntl.ioctl(target, _CLONE, file.fileno())
        except OSError:
            with open(target, "wb", closefd=False) as copy:
                while piece := file.read(_PIECE):
                    if stopped():
                        raise _cancelled() from None
                    copy.write(piece)


@contextlib.contextmanager
def _opened(folder: str) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _cancelled() -> OSError:
    return OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))


def _last_line(process: subprocess.Popen[str]) -> str:
    """Wait for a program's end, and give what it said last; it may say one thing for each of many files."""
    last = ""
    assert process.stderr is not None
    with process, contextlib.closing(process.stderr):
        for line in process.stderr:
            last = line.strip() or last
    return last


def _why(said: str, path: str) -> OSError:
    for number, text in _OF_DISKS.items():
        if said.endswith(text):
            return OSError(number, text, path)
    return OSError(0, said or "cp was ended", path)
