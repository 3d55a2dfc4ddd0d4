"""What random tasks mount: archives and files of a seed, with all that is needed to see that they are whole."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from random import Random

from backports import zstd
from twisted.web.resource import Resource
from twisted.web.static import Data

MANIFEST = "MANIFEST"

KILOBYTE = 1024


def _same(data: bytes) -> bytes:
    return data


PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "tar": _same,
    "tar.gz": lambda data: gzip.compress(data, 1),
    "tar.bz2": bz2.compress,
    "tar.xz": lambda data: lzma.compress(data, preset=0),
    "tar.zst": zstd.compress,
}


@dataclass(frozen=True)
class Archive:
    """A content that is extracted.

    @ivar format: as in a payload.
    @ivar data: with a manifest in it, by which C{sha256sum} sees whether all is there.
    """

    name: str
    format: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Of all of it, in hexadecimal."""
        return sha256(self.data).hexdigest()


def archive_of(source: Random, number: int, kilobytes: int) -> Archive:
    """Pack some files of at most so many KiB altogether, which cannot be compressed."""
    format = source.choice([*PACKED, "zip"])
    files = {
        f"folder{index % 3}/file{index}": source.randbytes(source.randrange(2 * KILOBYTE * kilobytes // 20))
        for index in range(source.choice([1, 5, 20]))
    }
    sums = "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    files[MANIFEST] = sums.encode()
    data = _zip(files) if format == "zip" else PACKED[format](_tar(files))
    return Archive(f"{number}.{format}", format, data)


def site_of(archives: list[Archive]) -> Resource:
    """What serves them by their names."""
    root = Resource()
    for archive in archives:
        root.putChild(archive.name.encode(), Data(archive.data, "application/octet-stream"))
    return root


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _zip(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()
