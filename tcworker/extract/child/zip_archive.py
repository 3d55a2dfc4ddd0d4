"""Unpacks a zip file."""

from __future__ import annotations

import calendar
import stat
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from tcworker.extract.child.decompression import wrong_format
from tcworker.extract.child.faults import ArchiveFault, member
from tcworker.extract.child.place import Place

_PIECE = 128 * 1024
_LONGEST_TARGET = 4096
_ENCRYPTED, _UTF_8 = 0x1, 0x800
_UNIX = 3
_DOS = (0, 10, 11)
"""Systems whose programs may write a name with backslashes."""


def unpack_zip(file: BinaryIO, place: Place) -> None:
    """Unpack all of it. Raises L{ArchiveFault}, or C{OSError} for what cannot be made, with its name."""
    for info in (archive := _open(file)).infolist():
        name = _name(info)
        with member(name):
            _unpack(archive, info, name, place)


def _open(file: BinaryIO) -> zipfile.ZipFile:
    beginning = file.read(4)
    file.seek(0)
    if not beginning:
        raise ArchiveFault("it is empty")
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        if beginning.startswith(b"PK"):
            raise ArchiveFault(f"it is damaged or not all there: {error}") from error
        raise wrong_format("zip", beginning) from error


def _name(info: zipfile.ZipInfo) -> bytes:
    if info.flag_bits & _UTF_8:
        name = info.orig_filename.encode("utf-8", "surrogateescape")
    else:
        name = info.orig_filename.encode("cp437", "replace")
        try:
            name.decode()
        except UnicodeDecodeError:
            # Only then it is in the code page that the format is from; most programs write what they find.
            name = info.orig_filename.encode()
    return name.replace(b"\\", b"/") if info.create_system in _DOS else name


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: bytes, place: Place) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveFault("it is encrypted")
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    kind = stat.S_IFMT(mode)
    if name.endswith(b"/") or kind == stat.S_IFDIR:
        place.folder(name, mode or 0o755)
    elif kind == stat.S_IFLNK:
        place.symlink(name, _target(archive, info))
    elif kind in (0, stat.S_IFREG):
        place.file(name, mode or 0o644, _mtime(info), _content(archive, info))
    else:
        raise ArchiveFault("it is a device, a pipe or a socket")


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > _LONGEST_TARGET:
        raise ArchiveFault("it is a link to what cannot be a path")
    return b"".join(_content(archive, info))


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as content:
            while piece := content.read(_PIECE):
                yield piece
    except (MemoryError, ArchiveFault):
        raise
    except NotImplementedError as error:
        raise ArchiveFault(f"it is compressed in a way that is not read here: {error}") from error
    except Exception as error:
        # Whoever wrote what is read here decides which of many exceptions it is.
        raise ArchiveFault(f"it is damaged: {error or type(error).__name__}") from error


def _mtime(info: zipfile.ZipInfo) -> int:
    year, month, day, *rest = info.date_time
    # Nobody says in which zone that is, and some say nothing at all.
    return calendar.timegm((year, month or 1, day or 1, *rest)) * 10**9 if 1 <= month <= 12 else 0
