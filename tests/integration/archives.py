"""Archives and compressed files, good ones and bad ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping

import brotli
import lz4.frame
import py7zr
import snappy
from backports import zstd


def lzipped(data: bytes) -> bytes:
    """Compress as lzip does: one member, with a dictionary of 64 KiB."""
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}]
    # After its header of 13 bytes, which lzip has not; it has an end mark instead of a size.
    alone = lzma.compress(data, lzma.FORMAT_ALONE, filters=filters)[13:]
    header = b"LZIP\x01\x10"
    return header + alone + struct.pack("<IQQ", zlib.crc32(data), len(data), len(header) + len(alone) + 20)


COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": brotli.compress,
    "bz2": bz2.compress,
    "gz": gzip.compress,
    "lz": lzipped,
    "lz4": lz4.frame.compress,
    "sz": lambda data: bytes(snappy.StreamCompressor().compress(data)),
    "xz": lzma.compress,
    "zst": zstd.compress,
    "zz": zlib.compress,
}
"""How a file is compressed, by the format's name in a payload."""


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0, mode: int = 0o644
) -> tarfile.TarInfo:
    """What stands in a tar about one member."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, size, mode
    return info


def tar(files: Mapping[str, bytes] = {}, *odd: tarfile.TarInfo) -> bytes:
    """A tar of some files, and after them of what else there is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in files.items():
            archive.addfile(member(name, size=len(data)), io.BytesIO(data))
        for info in odd:
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return packed.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of some files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def seven_zipped(files: Mapping[str, bytes]) -> bytes:
    """A 7z of some files."""
    packed = io.BytesIO()
    with py7zr.SevenZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return packed.getvalue()


def archive(form: str, files: Mapping[str, bytes]) -> bytes:
    """An archive of some files, by the format's name in a payload."""
    if form == "zip":
        return zipped(files)
    if form == "7z":
        return seven_zipped(files)
    _, _, compression = form.partition(".")
    return COMPRESSIONS[compression](tar(files)) if compression else tar(files)


FORMS = ("tar", *(f"tar.{form}" for form in COMPRESSIONS), "zip", "7z")
"""All kinds of archives."""
