"""Decompresses a file piece by piece, and sees that it is whole and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tcworker.extract.child.faults import ArchiveFault, show
from tcworker.extract.child.pieces import Truncated
from tcworker.extract.child.steppers import Codec, Stepper

# Larger ones are not had from the heap each time, but from the kernel: half as fast.
_PIECE = 128 * 1024

_LOOKS_LIKE = {
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"LZIP": "lz",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xff\x06\0\0": "sz",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zst",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}
_LONGEST_MAGIC = 10

_NARROW = "memory"
"""What libraries say of data that are whole, but ask for more of it than they may."""


def wrong_format(form: str, beginning: bytes) -> ArchiveFault:
    """Say that something is not of the format that it was said to have, and what it looks like."""
    found = next((known for magic, known in _LOOKS_LIKE.items() if beginning.startswith(magic)), None)
    looks = f"it looks like {found}" if found else f"it begins with {show(beginning[:_LONGEST_MAGIC])}"
    return ArchiveFault(f"it is not {form}: {looks}")


def decompressed(form: str, codec: Codec, read: Callable[[], bytes]) -> Iterator[bytes]:
    """Give what is in a compressed file, in pieces.

    @param read: gives the next piece of that file, nothing at its end.

    Raises L{ArchiveFault}.
    """
    data, streams = _beginning(form, codec, read), 0
    while data:
        streams += 1
        if streams > (codec.most or 1) or not data.startswith(codec.magic or b""):
            raise ArchiveFault("something follows its end")
        stepper = codec.new()
        yield from _stream(stepper, bool(codec.most), data, read)
        data = _between(stepper.unused_data or b"", read)


def _beginning(form: str, codec: Codec, read: Callable[[], bytes]) -> bytes:
    data = _more(b"", read)
    if not data:
        raise ArchiveFault("it is empty")
    if codec.magic and not data.startswith(codec.magic):
        raise wrong_format(form, data)
    return data


def _between(data: bytes, read: Callable[[], bytes]) -> bytes:
    """Give what follows the end of a stream; what was on a tape is filled up with zeros."""
    data = data.lstrip(b"\0")
    while not data and (piece := read()):
        data = piece.lstrip(b"\0")
    return _more(data, read)


def _more(data: bytes, read: Callable[[], bytes]) -> bytes:
    """Give some bytes and what follows, until it can be told what it is."""
    while len(data) < _LONGEST_MAGIC and (piece := read()):
        data += piece
    return data


def _stream(stepper: Stepper, has_end: bool, data: bytes, read: Callable[[], bytes]) -> Iterator[bytes]:
    while True:
        if piece := _step(stepper, data):
            yield piece
        if has_end and stepper.eof:
            return
        data = read() if stepper.needs_input else b""
        if stepper.needs_input and not data:
            break
    if not stepper.eof:
        raise Truncated


def _step(stepper: Stepper, data: bytes) -> bytes:
    try:
        return stepper.decompress(data, _PIECE)
    except MemoryError:
        raise
    except Exception as error:
        # Each library has an exception of its own for what is wrong with its data.
        if _NARROW in str(error).lower():
            raise ArchiveFault(
                "it needs too much memory: pack it with a smaller window (zstd --long=27, xz -9)"
            ) from error
        raise ArchiveFault(f"it is damaged: {error or type(error).__name__}") from error
