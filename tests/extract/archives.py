"""Archives for tests, made by the standard library and by hand."""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import brotli
import lz4.frame
import snappy
from backports import zstd
from isal import igzip

DATE = 1_700_000_000


@dataclass(frozen=True)
class Member:
    """Of a tar: a file, unless it is said to be something else."""

    name: str | bytes
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    mode: int = 0o644
    target: str = ""
    mtime: float = DATE

    @property
    def info(self) -> tarfile.TarInfo:
        name = self.name if isinstance(self.name, str) else self.name.decode("utf-8", "surrogateescape")
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(self.content), self.mode, self.mtime
        info.type, info.linkname = self.kind, self.target
        return info


def folder(name: str, mode: int = 0o755) -> Member:
    return Member(name, kind=tarfile.DIRTYPE, mode=mode)


def symlink(name: str, target: str) -> Member:
    return Member(name, kind=tarfile.SYMTYPE, target=target)


def hardlink(name: str, target: str) -> Member:
    return Member(name, kind=tarfile.LNKTYPE, target=target)


def tar(*members: Member, form: int = tarfile.GNU_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for member in members:
            archive.addfile(member.info, io.BytesIO(member.content))
    return file.getvalue()


def lzip(data: bytes) -> bytes:
    """What lzip(1) writes, by its manual."""
    parameters = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}
    packed = b"LZIP\x01\x10" + lzma.compress(data, lzma.FORMAT_RAW, filters=[parameters])
    return packed + struct.pack("<LQQ", zlib.crc32(data), len(data), len(packed) + 20)


COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda data: brotli.compress(data, quality=4),
    "bz2": bz2.compress,
    "gz": igzip.compress,
    "lz": lzip,
    "lz4": lambda data: lz4.frame.compress(data, content_checksum=True),
    "sz": lambda data: bytes(snappy.StreamCompressor().compress(data)),
    "xz": lzma.compress,
    "zst": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    "zz": zlib.compress,
}
"""What packs each format of a single file."""

CONCATENATED = ("bz2", "gz", "lz", "lz4", "xz", "zst")
"""Formats of which one may follow the other."""


def in_pieces(data: bytes, size: int) -> Iterable[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))
