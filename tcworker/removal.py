"""Removes folders that strangers filled: as deep, wide and closed as they like. For threads: it takes its time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import sys
from collections.abc import Callable

_ROUNDS = 8
"""Looks at what is left. One is enough unless the disk is full, or a process of the stranger still lives."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_PEEK = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


class Unwanted(Exception):
    """Nobody wants any more that a removal goes on."""


def _always() -> bool:
    return True


def remove(path: str, parent: int | None = None, wanted: Callable[[], bool] = _always) -> None:
    """Remove what is at a path, which need not be there: a folder with all in it, or something else.

    @param parent: a descriptor of the folder that the path starts from, C{None} for the working directory.
    @param wanted: asked before each thing whether to go on; if not, L{Unwanted} is raised.

    No link is followed, no mounted file system entered, and nothing read that is not below C{path}. All that can go is
    gone even when this fails.

    @raise OSError: one of those that could not go, with its path; the names of folders on the way may have changed.
    """
    try:
        if stat.S_ISDIR(os.lstat(path, dir_fd=parent).st_mode):
            _Removal(path, parent, wanted).run()
        else:
            os.unlink(path, dir_fd=parent)
    except FileNotFoundError:
        # Somebody else was quicker: so be it.
        return


class _Removal:
    """Lifts each folder to the top before it empties it.

    So there is no depth to recurse into, and no path longer than the system takes; folders that wait are known by their
    numbers alone; and the kernel lifts no folder that something is mounted on.
    """

    def __init__(self, path: str, parent: int | None, wanted: Callable[[], bool]) -> None:
        self._path, self._parent, self._wanted = path, parent, wanted
        self._top = _open(path, parent)
        # A stranger cannot have made these names before.
        self._prefix = f".{os.urandom(8).hex()}-"
        self._lifted = self._emptied = 0
        self._problem: OSError | None = None

    def run(self) -> None:
        """Remove it. Raises C{OSError}."""
        try:
            for _ in range(_ROUNDS):
                self._problem = None
                self._clear(self._top, "")
                self._empty_lifted()
                self._try("", self._remove_top)
                if self._problem is None:
                    return
            raise self._problem or AssertionError("there are rounds")
        finally:
            os.close(self._top)

    def _remove_top(self) -> None:
        os.rmdir(self._path, dir_fd=self._parent)

    def _empty_lifted(self) -> None:
        while self._emptied < self._lifted:
            name = f"{self._prefix}{self._emptied}"
            self._try(name, self._empty, name)
            self._emptied += 1

    def _empty(self, name: str) -> None:
        folder = _open(name, self._top)
        try:
            self._clear(folder, name)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=self._top)

    def _clear(self, folder: int, where: str) -> None:
        """Take everything out of an open folder; C{where} is its name in the top."""
        with os.scandir(folder) as entries:
            for entry in entries:
                if not (folder == self._top and self._waits(entry.name)):
                    self._try(os.path.join(where, entry.name), self._take_out, folder, entry)

    def _waits(self, name: str) -> bool:
        """Whether this is a folder just lifted: on some systems a listing shows what came after it began."""
        number = name.removeprefix(self._prefix)
        return number != name and number.isdecimal() and self._emptied <= int(number) < self._lifted

    def _take_out(self, folder: int, entry: os.DirEntry[str]) -> None:
        if not self._wanted():
            raise Unwanted(self._path)
        try:
            self._unlink_or_lift(folder, entry)
        except PermissionError:
            if entry.is_symlink() or not _thaw(entry.name, folder):
                raise
            self._unlink_or_lift(folder, entry)

    def _unlink_or_lift(self, folder: int, entry: os.DirEntry[str]) -> None:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=folder)
            return
        # This alone does for many, and for some it is all that we may: the empty ones of another user.
        try:
            os.rmdir(entry.name, dir_fd=folder)
        except OSError as error:
            if error.errno not in _NOT_EMPTY:
                raise
            self._lift(folder, entry.name)

    def _lift(self, folder: int, name: str) -> None:
        higher = f"{self._prefix}{self._lifted}"
        try:
            os.rename(name, higher, src_dir_fd=folder, dst_dir_fd=self._top)
        except PermissionError:
            # Its own C{..} changes, so that it must be writable itself.
            _unlock(name, folder)
            os.rename(name, higher, src_dir_fd=folder, dst_dir_fd=self._top)
        self._lifted += 1

    def _try(self, where: str, step: Callable[..., None], *arguments: object) -> None:
        """Keep the first problem, and go on: the more is gone the better."""
        try:
            step(*arguments)
        except FileNotFoundError:
            return
        except OSError as error:
            path = os.path.join(self._path, where) if where else self._path
            self._problem = self._problem or OSError(error.errno, error.strerror, path)


def _open(name: str, parent: int | None = None) -> int:
    """Open a folder so that what is in it may be removed. Raises C{OSError}."""
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        _unlock(name, parent)
        folder = os.open(name, _FOLDER, dir_fd=parent)
    _thaw_open(folder)
    # Somebody else's cannot be changed; what we may do there is seen where we do it.
    with contextlib.suppress(OSError):
        _take(folder)
    return folder


def _take(folder: int) -> None:
    """Let nobody else change what is in a folder: whoever lives on could fill it faster than it is emptied."""
    entry, root = os.fstat(folder), os.geteuid() == 0
    # To change these costs the disk more than to look.
    if root and (entry.st_uid, entry.st_gid) != (0, 0):
        os.fchown(folder, 0, 0)
    if stat.S_IMODE(entry.st_mode) != stat.S_IRWXU:
        os.fchmod(folder, stat.S_IRWXU)


def _unlock(name: str, parent: int | None) -> None:
    """Take the rights that an owner can give to itself. Raises C{OSError}."""
    try:
        os.chmod(name, stat.S_IRWXU, dir_fd=parent, follow_symlinks=False)
    except (ValueError, NotImplementedError) as error:
        # So this says that a link has taken the place of the folder.
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name) from error


_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602
_FROZEN = 0x10 | 0x20
"""Immutable, and only to be appended to: what root can make of files and folders of most of Linux's file systems."""


def _thaw(name: str, parent: int) -> bool:
    """Let a file or folder be changed again; false if that was not what kept it from going."""
    if stat.S_IFMT(os.lstat(name, dir_fd=parent).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        return False
    with contextlib.suppress(OSError):
        descriptor = os.open(name, _PEEK, dir_fd=parent)
        try:
            return _thaw_open(descriptor)
        finally:
            os.close(descriptor)
    return False


def _thaw_open(descriptor: int) -> bool:
    if os.geteuid() != 0 or sys.platform != "linux":
        return False
    with contextlib.suppress(OSError):
        flags = struct.unpack("i", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4)))[0]
        if flags & _FROZEN:
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("i", flags & ~_FROZEN))
            return True
    return False
