"""What is attached to a sandbox of L{tcworker.testing.platform.FakePlatform}, in its files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import ClassVar

from tcworker.engine.attached import Attached, Attachments, Kind
from tcworker.errors import ArchiveError, NotFound, ResourceUnavailable, TaskFailed
from tcworker.interfaces import ICacheFolder
from tcworker.testing.caches import FakeCacheFolder
from tcworker.testing.files import File, Files, Folder


class FakeMounts:
    """Puts into files what is attached, and takes caches out again.

    @param files: what the task sees.
    """

    def __init__(self, files: Files, attached: Attachments) -> None:
        self._files, self._attached = files, attached
        self._caches: dict[ICacheFolder, str] = {}

    def place(self) -> None:
        """Put all in its place. Raises L{TaskFailed}: nothing is in its place then."""
        try:
            for attached in self._attached:
                with _explained(attached):
                    self._places[attached.kind](self, attached)
        except BaseException:
            for folder in list(self._caches):
                self.take_back(folder)
            raise

    def take_back(self, folder: ICacheFolder) -> None:
        """Have a cache where it was. Raises L{TaskFailed}: it is lost then."""
        if (place := self._caches.pop(folder, None)) is None:
            raise TaskFailed(f"{folder.name} is no cache of this task, or was taken back before")
        above, _, name = place.rpartition("/")
        try:
            around = self._files.find(above or ".")
        except ArchiveError:
            around = Folder()
        # A link is not followed.
        node = around.entries.pop(name, None) if isinstance(around, Folder) else None
        if not isinstance(node, Folder):
            raise TaskFailed(f"the task removed its cache {folder.name}")
        _files_of(folder).make(".", node)

    def _place_cache(self, cache: Attached) -> None:
        assert cache.folder is not None
        place, files = str(cache.target), _files_of(cache.folder)
        with contextlib.suppress(NotFound):
            if not isinstance(there := self._files.find(place), Folder) or there.entries:
                raise NotADirectoryError(place)
        self._files.make(place, files.find("."))
        # It is there now, and nowhere else.
        files.make(".", Folder())
        self._caches[cache.folder] = place

    def _place_tree(self, tree: Attached) -> None:
        assert tree.folder is not None
        place, shared = str(tree.target), deepcopy(_files_of(tree.folder).find("."))
        assert isinstance(shared, Folder)
        try:
            there = self._files.find(place)
        except NotFound:
            there = Folder()
            self._files.make(place, there)
        assert isinstance(there, Folder)
        _merge(shared, there)
        there.fixed = tree.read_only

    def _place_file(self, file: Attached) -> None:
        place = str(file.target)
        with contextlib.suppress(NotFound):
            if isinstance(self._files.find(place), Folder):
                raise IsADirectoryError(place)
        with open(file.source, "rb") as content:
            self._files.make(place, File(content.read()))

    _places: ClassVar[Mapping[Kind, Callable[[FakeMounts, Attached], None]]] = {
        Kind.CACHE: _place_cache,
        Kind.TREE: _place_tree,
        Kind.FILE: _place_file,
    }


def _files_of(folder: ICacheFolder) -> Files:
    assert isinstance(folder, FakeCacheFolder)
    return folder.files


def _merge(source: Folder, target: Folder) -> None:
    for name, node in source.entries.items():
        there = target.entries.get(name)
        if isinstance(node, Folder) and isinstance(there, Folder):
            _merge(node, there)
        else:
            target.entries[name] = node


@contextlib.contextmanager
def _explained(attached: Attached) -> Iterator[None]:
    try:
        yield
    except (NotADirectoryError, IsADirectoryError, ArchiveError) as error:
        raise TaskFailed(f"{attached.label}: something is in the way of {attached.target}") from error
    except OSError as error:
        raise ResourceUnavailable(f"{attached.label}: {error}") from error
