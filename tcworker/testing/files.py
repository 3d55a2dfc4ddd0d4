"""A file system in memory: folders, files, links, fifos, and what a task's user may not read."""

from __future__ import annotations

import errno
import io
import os
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tcworker.errors import ArchiveError, NotAFile, NotFound, NotReadable
from tcworker.interfaces import ArchiveFault, IArchivedFile

_MOST_LINKS = 40


@dataclass
class File:
    """A regular file; C{readable} by the task's user or not."""

    content: bytes
    readable: bool = True


@dataclass
class Link:
    """A symbolic link."""

    target: str


@dataclass
class Fifo:
    """A named pipe, which nobody writes to."""


@dataclass
class Folder:
    """A folder and what is in it; C{fixed} if nobody can change anything there."""

    entries: dict[str, Node] = field(default_factory=dict)
    readable: bool = True
    fixed: bool = False


Node: TypeAlias = File | Link | Fifo | Folder


class Files:
    """A tree of files as one task sees it.

    @param home: the task's folder, which relative paths start from.
    """

    def __init__(self, home: str = "/task") -> None:
        self.root = Folder()
        self.home = home
        self.make(home, Folder())

    def make(self, path: str, node: Node) -> None:
        """Put something at a path, in place of what was there; folders on the way are made. Raises C{OSError}."""
        *way, name = _parts(self.absolute(path))
        folder = self.root
        for part in way:
            if part not in folder.entries:
                _changeable(folder).entries[part] = Folder()
            below = folder.entries[part]
            if not isinstance(below, Folder):
                raise NotADirectoryError(path)
            folder = below
        _changeable(folder).entries[name] = node

    def remove(self, path: str) -> None:
        """Take away what is at a path."""
        *way, name = _parts(self.absolute(path))
        folder = _lookup(self.root, "/".join(way))
        assert isinstance(folder, Folder)
        del _changeable(folder).entries[name]

    def absolute(self, path: str) -> str:
        """Where a path begins, were it relative."""
        return posixpath.join(self.home, path)

    def find(self, path: str) -> Node:
        """Follow a path as the task's user. Raises L{NotFound} and L{NotReadable}."""
        return self._find(self.absolute(path), _MOST_LINKS)[1]

    def archive_file(self, path: str) -> ArchivedFile:
        """Give the file at a path. Raises L{ArchiveError}."""
        archived = ArchivedFile(self, self.absolute(path), path)
        # Looked up now for its faults, and once more when it is opened.
        archived.size = len(archived.file().content)
        return archived

    def archive_folder(self, path: str) -> Iterator[ArchivedFile | ArchiveFault]:
        """Give what is in the folder at a path, sorted. Raises L{ArchiveError} at the first step."""
        folder = self._folder(path)
        for name in sorted(_names(folder)):
            node = _lookup(folder, name)
            if not isinstance(node, Folder):
                yield self._archive_entry(posixpath.join(self.absolute(path), name), name)
            elif not node.readable:
                yield ArchiveFault(name, NotReadable.reason, f"the task's user may not read {name}")

    def tar(self) -> bytes:
        """The task's folder as a tar; what its user may not read is left out."""
        folder = self._folder(self.home)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in sorted(_names(folder)):
                _pack(archive, name, _lookup(folder, name))
        return packed.getvalue()

    def _archive_entry(self, path: str, name: str) -> ArchivedFile | ArchiveFault:
        try:
            archived = self.archive_file(path)
        except ArchiveError as error:
            return ArchiveFault(name, error.reason, str(error))
        archived.path = name
        return archived

    def _folder(self, path: str) -> Folder:
        node = self.find(path)
        if not isinstance(node, Folder):
            raise NotAFile(f"{path} is not a folder")
        if not node.readable:
            raise NotReadable(f"the task's user may not read {path}")
        return node

    def _find(self, path: str, links_left: int) -> tuple[str, Node]:
        """Answer where a path ends, without links on the way, and what is there."""
        place, node = "/", self.root
        parts = _parts(path)
        while parts:
            part = parts.pop(0)
            below = self._step(place, node, part, path)
            place = posixpath.dirname(place) if part == ".." else posixpath.join(place, part)
            if isinstance(below, Link):
                if not links_left:
                    raise NotFound(f"{path} leads through too many links")
                place, below = self._find(posixpath.join(posixpath.dirname(place), below.target), links_left - 1)
            node = below  # type: ignore[assignment]  # what is no folder fails at the next step
        return place, node

    def _step(self, place: str, node: Node, part: str, path: str) -> Node:
        if not isinstance(node, Folder):
            raise NotFound(f"{path} leads through {place}, which is not a folder")
        if not node.readable:
            raise NotReadable(f"the task's user may not enter {place}")
        if part == "..":
            return self._find(posixpath.dirname(place), 0)[1]
        if part not in node.entries:
            raise NotFound(f"there is no {path}")
        return node.entries[part]


@implementer(IArchivedFile)
class ArchivedFile:
    """A file of L{Files}; whatever is at its path when it is opened is what will be read."""

    size = 0

    def __init__(self, files: Files, place: str, path: str) -> None:
        self._files, self._place = files, place
        self.path = path
        self.closed = False

    def file(self) -> File:
        """What is there now. Raises L{ArchiveError}."""
        node = self._files.find(self._place)
        if not isinstance(node, File):
            raise NotAFile(f"{self.path} is not a file")
        if not node.readable:
            raise NotReadable(f"the task's user may not read {self.path}")
        return node

    def open(self) -> IBodyProducer:
        """See L{IArchivedFile.open}."""
        if self.closed:
            raise AssertionError(f"{self.path} was closed, nobody may open it again")
        file = self.file()
        if len(file.content) < self.size:
            raise ArchiveError(f"{self.path} became shorter: it has {len(file.content)} of {self.size} bytes")
        return _MemoryBody(file, self.path, self.size)

    def close(self) -> None:
        """See L{IArchivedFile.close}."""
        self.closed = True


@implementer(IBodyProducer)
class _MemoryBody:
    def __init__(self, file: File, path: str, length: int) -> None:
        self._file, self._path, self.length = file, path, length

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        content = self._file.content
        if len(content) < self.length:
            return fail(ArchiveError(f"{self._path} became smaller while it was read"))
        consumer.write(content[: self.length])
        return succeed(None)

    def pauseProducing(self) -> None:
        """All was written at once."""

    def resumeProducing(self) -> None:
        """All was written at once."""

    def stopProducing(self) -> None:
        """All was written at once."""


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _changeable(folder: Folder) -> Folder:
    if folder.fixed:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    return folder


def _names(folder: Folder) -> Iterator[str]:
    """The paths of all that is in a folder, and in folders of it that may be read."""
    for name, node in folder.entries.items():
        yield name
        if isinstance(node, Folder) and node.readable:
            yield from (f"{name}/{below}" for below in _names(node))


def _lookup(folder: Folder, name: str) -> Node:
    node: Node = folder
    for part in name.split("/"):
        assert isinstance(node, Folder)
        node = node.entries[part]
    return node


def _pack(archive: tarfile.TarFile, name: str, node: Node) -> None:
    entry = tarfile.TarInfo(name)
    if isinstance(node, File) and node.readable:
        entry.size = len(node.content)
        archive.addfile(entry, io.BytesIO(node.content))
        return
    if isinstance(node, Folder):
        entry.type = tarfile.DIRTYPE
    elif isinstance(node, Fifo):
        entry.type = tarfile.FIFOTYPE
    elif isinstance(node, Link):
        entry.type, entry.linkname = tarfile.SYMTYPE, node.target
    else:
        return
    archive.addfile(entry)
