"""The worker's side of an extraction: a sink for what arrives, and the child behind it."""

from __future__ import annotations

from typing import NamedTuple

from twisted.internet.defer import Deferred

from tcworker.process import IReactor


class Owner(NamedTuple):
    """Whom a child runs as, and who owns all that it makes."""

    uid: int
    gid: int


class ExtractionLimits(NamedTuple):
    """What one extraction may take.

    @ivar megabytes: of the disk, for all that comes out; each entry counts as a block at least.
    @ivar ratio: how often what comes out may be as much as what went in; the first GB is free.
    @ivar seconds: how long the child may work on what it was given.
    @ivar memory: MB of the child's address space.
    """

    megabytes: int = 102_400
    ratio: int = 1000
    seconds: float = 3600.0
    memory: int = 2048


class Extracted(NamedTuple):
    """What came out: files, folders and links, and bytes of files."""

    entries: int
    bytes: int


class Extraction:
    """An archive on its way into a folder; a sink for its bytes.

    @ivar written: how many bytes it was given since it began, or began anew.
    """

    written: int

    def write(self, data: bytes) -> Deferred[None] | None:
        """Take some bytes; what is given fires when more may come, C{None} stands for at once.

        Fails (or raises) with a L{TaskError} as soon as it is known that nothing will come of the archive.
        """
        raise NotImplementedError

    def restart(self) -> Deferred[None]:
        """Forget all that was written, and empty the folder: the archive comes once more from its beginning."""
        raise NotImplementedError

    def finish(self) -> Deferred[Extracted]:
        """There is no more: fires when all is in its place. Cancelled, it is aborted. Fails with a L{TaskError}."""
        raise NotImplementedError

    def abort(self) -> Deferred[None]:
        """Give up; fires when the child is gone. What lies in the folder stays. Repeatable, also after the end."""
        raise NotImplementedError


class Extractor:
    """Makes extractions."""

    def __init__(self, reactor: IReactor, limits: ExtractionLimits) -> None:
        self._reactor, self._limits = reactor, limits

    def into_folder(self, form: str, folder: str, owner: Owner | None) -> Extraction:
        """Begin an extraction into an empty folder that the owner may write to; C{None} for ourselves.

        @param form: one of L{tcworker.extract.formats.FOLDER_FORMATS}.
        """
        raise NotImplementedError

    def decompress(self, form: str, source: int, target: int, owner: Owner | None) -> Deferred[Extracted]:
        """Decompress all of an open file into another; both stay the caller's. Fails with a L{TaskError}.

        @param form: one of L{tcworker.extract.formats.FILE_FORMATS}.
        """
        raise NotImplementedError
