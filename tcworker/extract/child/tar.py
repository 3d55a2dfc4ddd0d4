"""Unpacks a tar while it comes.

The standard library's reader takes ten times as long for small files, so this reads headers itself; tests hold it
against that one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tcworker.extract.child.decompression import wrong_format
from tcworker.extract.child.faults import ArchiveFault, member
from tcworker.extract.child.pieces import Pieces, Truncated
from tcworker.extract.child.place import Place
from tcworker.extract.child.quota import Quota
from tcworker.extract.child.tar_header import BLOCK, Header, apply_pax, read_header, read_pax

_LONGEST_EXTRA = 1 << 20

_REFUSED: Mapping[bytes, str] = {
    b"3": "it is a device",
    b"4": "it is a device",
    b"6": "it is a named pipe",
    b"S": "it is a sparse file (tar --sparse), which is not read here",
    b"M": "it is the rest of a file that began in another archive",
    b"D": "it is a list of an incremental backup",
}


class Tar:
    """A tar to be unpacked.

    @param quota: that of the place.
    """

    def __init__(self, pieces: Pieces, place: Place, quota: Quota) -> None:
        self._pieces, self._place, self._quota = pieces, place, quota
        self._makers: Mapping[bytes, Callable[[Header], None]] = {
            **dict.fromkeys((b"0", b"\0", b"7"), self._file),
            b"1": self._link,
            b"2": self._symlink,
            b"5": self._folder,
        }

    def unpack(self) -> None:
        """Unpack all of it. Raises L{ArchiveFault}, or C{OSError} for what cannot be made, with its name."""
        first = True
        while (header := self._next(first)) is not None:
            with member(header.name):
                self._make(header)
            first = False
        self._finish()

    def _next(self, first: bool) -> Header | None:
        """Read all that is said of the next member; C{None} if there is none."""
        pax: dict[bytes, bytes] = {}
        while block := self._pieces.take(BLOCK):
            if not block[0] and not any(block):
                return None
            if (header := read_header(block)) is None:
                raise (
                    wrong_format("tar", block) if first else ArchiveFault("it is damaged: no header where one belongs")
                )
            match header.kind:
                case b"x" | b"X":
                    pax.update(read_pax(self._extra(header)))
                case b"L":
                    pax[b"path"] = self._extra(header).partition(b"\0")[0]
                case b"K":
                    pax[b"linkpath"] = self._extra(header).partition(b"\0")[0]
                case b"g" | b"V":
                    # What is said of all that follows, and a label, are of no use here.
                    self._extra(header)
                case _:
                    return apply_pax(header, pax) if pax else header
        if pax:
            raise Truncated
        if first:
            raise ArchiveFault("it is empty")
        return None

    def _extra(self, header: Header) -> bytes:
        if header.size > _LONGEST_EXTRA:
            raise ArchiveFault(f"its extended header is longer than {_LONGEST_EXTRA} bytes").of(header.name)
        extra = self._pieces.take(header.size + -header.size % BLOCK)
        self._quota.nothing(BLOCK + len(extra))
        if len(extra) < header.size:
            raise Truncated
        return extra[: header.size]

    def _make(self, header: Header) -> None:
        if header.kind in _REFUSED:
            raise ArchiveFault(_REFUSED[header.kind])
        if header.kind not in self._makers:
            raise ArchiveFault(f"nobody knows what kind of member it is ({header.kind!r})")
        self._makers[header.kind](header)

    def _file(self, header: Header) -> None:
        # So the first tars told folders apart.
        if header.name.endswith(b"/"):
            self._folder(header)
            return
        self._place.file(header.name, header.mode, header.mtime, self._pieces.parts(header.size))
        self._pieces.take(-header.size % BLOCK)

    def _folder(self, header: Header) -> None:
        self._place.folder(header.name, header.mode)
        self._skip(header)

    def _link(self, header: Header) -> None:
        self._place.link(header.name, header.target)
        self._skip(header)

    def _symlink(self, header: Header) -> None:
        self._place.symlink(header.name, header.target)
        self._skip(header)

    def _skip(self, header: Header) -> None:
        """Pass over what comes with what is no file: usually nothing."""
        for part in self._pieces.parts(header.size + -header.size % BLOCK):
            self._quota.nothing(len(part))

    def _finish(self) -> None:
        """Read to the end, where checksums are; archives are filled up with zeros."""
        for piece in self._pieces.rest():
            self._quota.nothing(len(piece))
            if piece.strip(b"\0"):
                raise ArchiveFault("something follows the end of the archive, perhaps another archive")
