"""The folder that an archive is unpacked into: nothing of a stranger's archive comes to lie anywhere else.

Each path is walked by descriptors and no link is ever followed, whoever made it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from tcworker.extract.child.faults import ArchiveFault, show
from tcworker.extract.child.names import check_link, parts_of
from tcworker.extract.child.quota import Quota

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_IMPLIED = 0o755
"""The mode of folders that no member is."""

_MOST_OPEN = 64

_LATEST = (1 << 33) * 10**9
"""A time that all file systems know, in nanoseconds: what is later is none."""


class Place:
    """A folder to be filled; its methods raise L{ArchiveFault} or C{OSError}, without the member's name.

    The umask must be 0.

    @param folder: a descriptor of it.
    """

    def __init__(self, folder: int, quota: Quota) -> None:
        self._top, self._quota = folder, quota
        self._open: dict[bytes, int] = {}

    def folder(self, name: bytes, mode: int) -> None:
        """Make a folder. It may be there already."""
        parts = parts_of(name)
        # Whoever owns it can write to it and remove it, whatever its author thought.
        mode = mode & 0o777 | stat.S_IRWXU
        if parts and not self._made(self._walk(parts[:-1]), parts[-1], mode):
            descriptor = self._enter(self._walk(parts[:-1]), parts[-1])
            os.fchmod(descriptor, mode)
            os.close(descriptor)

    def file(self, name: bytes, mode: int, mtime: int, content: Iterable[memoryview | bytes]) -> None:
        """Make a file with this content; see L{new_file} and L{NewFile.finish}."""
        file = self.new_file(name, mode)
        for part in content:
            file.write(part)
        file.finish(mtime)

    def new_file(self, name: bytes, mode: int) -> NewFile:
        """Make a file, in the place of whatever else but a folder has its name, and give it to be written."""
        if mode & (stat.S_ISUID | stat.S_ISGID):
            raise ArchiveFault("it would run with the rights of its owner or group (setuid, setgid)")
        return NewFile(self._create(*self._parent(name), mode & 0o777), self._quota)

    def symlink(self, name: bytes, target: bytes) -> None:
        """Make a symbolic link that stays inside, in the place of whatever else but a folder has its name."""
        parts = parts_of(name)
        check_link(len(parts) - 1, target)
        folder, own = self._parent(name)
        self._quota.entry()
        self._make_way(folder, own)
        os.symlink(target, own, dir_fd=folder)

    def link(self, name: bytes, target: bytes) -> None:
        """Give a file that is here another name."""
        try:
            source, its_name = self._parent(target)
            mode = os.lstat(its_name, dir_fd=source).st_mode
        except (ArchiveFault, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ArchiveFault(f"it is a link to {show(target)}, which is nothing of this archive: {why}") from error
        if stat.S_ISLNK(mode):
            # Elsewhere it would lead elsewhere.
            self.symlink(name, os.readlink(its_name, dir_fd=source))
        elif not stat.S_ISREG(mode):
            raise ArchiveFault(f"it is a link to {show(target)}, which is no file")
        elif parts_of(name) != parts_of(target):
            self._link(source, its_name, name)

    def _link(self, source: int, its_name: bytes, name: bytes) -> None:
        # The one folder may close the other.
        source = os.dup(source)
        try:
            folder, own = self._parent(name)
            self._quota.entry()
            self._make_way(folder, own)
            os.link(its_name, own, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source)

    def _parent(self, name: bytes) -> tuple[int, bytes]:
        """Give the folder that a member goes to, and what it is called there."""
        above, _, own = name.rpartition(b"/")
        folder = self._open.get(above)
        # What was walked once is known to be one of ours.
        if folder is not None and own not in (b"", b".", b"..") and b"\0" not in own:
            return folder, own
        *folders, own = parts_of(name) or [b""]
        if not own:
            raise ArchiveFault("it has the name of the folder itself")
        return self._walk(folders), own

    def _create(self, folder: int, name: bytes, mode: int) -> int:
        self._quota.entry()
        try:
            return os.open(name, _NEW_FILE, mode, dir_fd=folder)
        except FileExistsError:
            self._make_way(folder, name)
            return os.open(name, _NEW_FILE, mode, dir_fd=folder)

    def _make_way(self, folder: int, name: bytes) -> None:
        """Of several members with one name the last is what stays, as is usual."""
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except IsADirectoryError as error:
            raise ArchiveFault("the archive has a folder of the same name") from error

    def _walk(self, parts: list[bytes]) -> int:
        """Open a folder and keep it open, for there will be more to it; make those on the way that are not there."""
        if not parts:
            return self._top
        path = b"/".join(parts)
        if (known := self._open.get(path)) is not None:
            return known
        folder = self._top
        for part in parts:
            above, folder = folder, self._enter_or_make(folder, part)
            if above != self._top:
                os.close(above)
        if len(self._open) == _MOST_OPEN:
            os.close(self._open.pop(next(iter(self._open))))
        self._open[path] = folder
        return folder

    def _enter_or_make(self, folder: int, name: bytes) -> int:
        try:
            return self._enter(folder, name)
        except FileNotFoundError:
            self._made(folder, name, _IMPLIED)
            return self._enter(folder, name)

    def _made(self, folder: int, name: bytes, mode: int) -> bool:
        self._quota.entry()
        try:
            os.mkdir(name, mode, dir_fd=folder)
            return True
        except FileExistsError:
            return False

    def _enter(self, folder: int, name: bytes) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise ArchiveFault(f"the archive has a file or a link {show(name)} where a folder should be") from error


class NewFile:
    """A file that is written; one that is not finished is open until the process ends, as it does then."""

    def __init__(self, descriptor: int, quota: Quota) -> None:
        self._descriptor, self._quota = descriptor, quota

    def write(self, part: memoryview | bytes) -> None:
        """Append something. Raises L{ArchiveFault} if it is too much, or C{OSError}."""
        self._quota.content(len(part))
        written = os.write(self._descriptor, part)
        while written < len(part):
            written += os.write(self._descriptor, part[written:])

    def finish(self, mtime: int) -> None:
        """Close it.

        @param mtime: in nanoseconds.
        """
        mtime = min(max(mtime, 0), _LATEST)
        os.utime(self._descriptor, ns=(mtime, mtime))
        os.close(self._descriptor)
