"""gzip as tcworker writes it: fast first of all, for a worker's cores belong to its tasks."""

from __future__ import annotations

from isal import isal_zlib

_LEVEL = 2
_GZIP = 31
"""The number by which zlib knows gzip with its largest window."""


def new_gzip() -> isal_zlib.Compress:
    """Begin to compress a stream."""
    return isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)


def new_gunzip() -> isal_zlib.Decompress:
    """Begin to decompress a stream."""
    return isal_zlib.decompressobj(_GZIP)
