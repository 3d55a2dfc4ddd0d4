"""Decompressors of all formats, in one form: that of the standard library's for bz2 and xz."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, Protocol

_MEGA = 1 << 20

_ZSTD_WINDOW = 27
"""128 MB as a power of two, the most that zstd itself uses without C{--long} and reads unless told otherwise."""


class Stepper(Protocol):
    """Decompresses one stream, step by step; whatever it raises means that it cannot.

    @ivar eof: whether the stream has ended, after which it is not to be used.
    @ivar unused_data: what came after that.
    @ivar needs_input: whether it has nothing more to give before it is given more.
    """

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Codec(NamedTuple):
    """A format of compression.

    @ivar magic: what its files begin with; empty if that may be anything.
    @ivar most: how many streams may follow each other; 0 if they have no end but that of the file.
    @ivar new: makes a stepper.
    """

    magic: tuple[bytes, ...]
    most: float
    new: Callable[[], Stepper]


class _Brotli:
    """Brotli, which has no mark of what it is, and no checksum."""

    needs_input, unused_data = True, b""

    def __init__(self, library: Any) -> None:
        self._decompressor = library.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.is_finished())

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece: bytes = self._decompressor.process(data, output_buffer_limit=max_length)
        # When it has given as much as it might, there may be more, though it would take input as well.
        self.needs_input = len(piece) < max_length and self._decompressor.can_accept_more_data()
        return piece


class _Snappy:
    """Framed snappy: its blocks are small, so that one step gives little however much it could."""

    needs_input, unused_data = True, b""

    def __init__(self, library: Any) -> None:
        self._decompressor = library.StreamDecompressor()

    @property
    def eof(self) -> bool:
        # Between two blocks it may end.
        return not self._decompressor.remains

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece: bytes = self._decompressor.decompress(data)
        return piece


def codec(form: str, memory: int) -> Codec:
    """Load what reads a format.

    @param memory: MB that the stream may make a decompressor ask for, where it can be told.
    """
    magic, most, load = _CODECS[form]
    return Codec(magic, most, load(memory))


def _brotli(memory: int) -> Callable[[], Stepper]:
    library = import_module("brotli")
    return lambda: _Brotli(library)


def _bz2(memory: int) -> Callable[[], Stepper]:
    made: Callable[[], Stepper] = import_module("bz2").BZ2Decompressor
    return made


def _igzip(flag: str) -> Callable[[int], Callable[[], Stepper]]:
    def load(memory: int) -> Callable[[], Stepper]:
        library = import_module("isal.igzip_lib")
        return lambda: library.IgzipDecompressor(flag=getattr(library, flag))

    return load


def _lzip(memory: int) -> Callable[[], Stepper]:
    made: Callable[[], Stepper] = import_module("tcworker.extract.child.lzip").LzipDecompressor
    return made


def _lz4(memory: int) -> Callable[[], Stepper]:
    made: Callable[[], Stepper] = import_module("lz4.frame").LZ4FrameDecompressor
    return made


def _snappy(memory: int) -> Callable[[], Stepper]:
    library = import_module("snappy.snappy")
    return lambda: _Snappy(library)


def _xz(memory: int) -> Callable[[], Stepper]:
    library = import_module("lzma")
    return lambda: library.LZMADecompressor(library.FORMAT_XZ, memory * _MEGA)


def _zstd(memory: int) -> Callable[[], Stepper]:
    try:
        library = import_module("compression.zstd")
    except ImportError:
        library = import_module("backports.zstd")
    window = min(_ZSTD_WINDOW, (memory * _MEGA // 2).bit_length() - 1)
    return lambda: library.ZstdDecompressor(options={library.DecompressionParameter.window_log_max: window})


_ANY = float("inf")

_SKIPPED = tuple(bytes([number, 0x2A, 0x4D, 0x18]) for number in range(0x50, 0x60))
"""What lz4 and zstd pass over."""

_ZLIB = tuple(
    bytes([size << 4 | 8, flags])
    for size in range(8)
    for flags in range(256)
    if (size << 12 | 8 << 8 | flags) % 31 == 0
)
"""A zlib stream begins with the size of its window, and what makes both bytes together a multiple of 31."""

_CODECS: Mapping[str, tuple[tuple[bytes, ...], float, Callable[[int], Callable[[], Stepper]]]] = {
    "br": ((), 1, _brotli),
    "bz2": ((b"BZh",), _ANY, _bz2),
    "gz": ((b"\x1f\x8b",), _ANY, _igzip("DECOMP_GZIP")),
    "lz": ((b"LZIP",), _ANY, _lzip),
    "lz4": ((b"\x04\x22\x4d\x18", *_SKIPPED), _ANY, _lz4),
    "sz": ((b"\xff\x06\0\0sNaPpY",), 0, _snappy),
    "xz": ((b"\xfd7zXZ\0",), _ANY, _xz),
    "zst": ((b"\x28\xb5\x2f\xfd", *_SKIPPED), _ANY, _zstd),
    "zz": (_ZLIB, 1, _igzip("DECOMP_ZLIB")),
}
