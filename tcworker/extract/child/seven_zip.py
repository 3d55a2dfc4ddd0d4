"""Unpacks a 7z file: the library reads it, and makes nothing itself."""

from __future__ import annotations

import io
import stat
from typing import BinaryIO

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from tcworker.extract.child.decompression import wrong_format
from tcworker.extract.child.faults import ArchiveFault, member
from tcworker.extract.child.names import parts_of
from tcworker.extract.child.place import Place

_MAGIC = b"7z\xbc\xaf\x27\x1c"
_LONGEST_TARGET = 4096


def unpack_7z(file: BinaryIO, place: Place) -> None:
    """Unpack all of it. Raises L{ArchiveFault}, or C{OSError} for what cannot be made, with its name."""
    beginning = file.read(len(_MAGIC))
    file.seek(0)
    if not beginning:
        raise ArchiveFault("it is empty")
    if beginning != _MAGIC:
        raise wrong_format("7z", beginning)
    try:
        with py7zr.SevenZipFile(file) as archive:
            makers = _Makers(place, archive)
            archive.extractall(factory=makers)
            makers.make_links()
    except (ArchiveFault, MemoryError, OSError):
        raise
    except py7zr.PasswordRequired as error:
        raise ArchiveFault("it is encrypted") from error
    except Exception as error:
        # What is wrong in it meets the library in many places, each with an exception of its own.
        raise ArchiveFault(
            f"it is damaged, or packed in a way that is not read here: {error or type(error).__name__}"
        ) from error


class _Makers(WriterFactory):
    """Gives the library somebody to write to, for each member; folders are made before.

    Raises L{ArchiveFault} for what must not be.
    """

    def __init__(self, place: Place, archive: py7zr.SevenZipFile) -> None:
        self._place = place
        self._members: dict[str, py7zr.py7zr.ArchiveFile] = {}
        self._links: list[_Target] = []
        for entry in archive.files:
            name = _name(entry)
            with member(name):
                self._check(name, entry)

    def create(self, filename: str) -> Py7zIO:
        """Give who takes the content of a member, which the library names as it was checked."""
        entry = self._members[filename]
        if not entry.is_symlink:
            return _Content(self._place, entry)
        self._links.append(_Target(_name(entry)))
        return self._links[-1]

    def make_links(self) -> None:
        """Make those that were met: they are known when all is read."""
        for link in self._links:
            with member(link.name):
                self._place.symlink(link.name, bytes(link.target))

    def _check(self, name: bytes, entry: py7zr.py7zr.ArchiveFile) -> None:
        path = b"/".join(parts_of(name)).decode()
        if (entry.st_fmt or stat.S_IFREG) not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK) or entry.is_junction:
            raise ArchiveFault("it is a device, a pipe, a socket or a junction")
        if entry.is_directory:
            self._place.folder(name, 0o755 if entry.posix_mode is None else entry.posix_mode)
        elif path in self._members:
            raise ArchiveFault("the archive has it twice")
        else:
            self._members[path] = entry


class _Taker(Py7zIO):
    """The part of a file that the library uses: it writes and closes, and seeks only where that can be done."""

    seekable = staticmethod(bool)

    def read(self, size: int | None = None) -> bytes:
        raise io.UnsupportedOperation

    def seek(self, offset: int, whence: int = 0) -> int:
        raise io.UnsupportedOperation

    def size(self) -> int:
        raise io.UnsupportedOperation

    def flush(self) -> None:
        return


class _Content(_Taker):
    """Takes what is in a file. Raises L{ArchiveFault} and C{OSError} with its name."""

    def __init__(self, place: Place, entry: py7zr.py7zr.ArchiveFile) -> None:
        self._name, self._time = _name(entry), entry.lastwritetime
        with member(self._name):
            self._file = place.new_file(self._name, 0o644 if entry.posix_mode is None else entry.posix_mode)

    def write(self, s: bytes | bytearray) -> int:
        with member(self._name):
            self._file.write(memoryview(s))
        return len(s)

    def close(self) -> None:
        self._file.finish(0 if self._time is None else int(self._time.totimestamp() * 10**9))


class _Target(_Taker):
    """Takes where a symbolic link leads to. Raises L{ArchiveFault} with its name."""

    def __init__(self, name: bytes) -> None:
        self.name, self.target = name, bytearray()

    def write(self, s: bytes | bytearray) -> int:
        self.target += s
        if len(self.target) > _LONGEST_TARGET:
            # The quota does not count what goes nowhere, so that it must not go on.
            with member(self.name):
                raise ArchiveFault("it is a link to what cannot be a path")
        return len(s)


def _name(entry: py7zr.py7zr.ArchiveFile) -> bytes:
    return str(entry.filename).encode("utf-8", "replace")
