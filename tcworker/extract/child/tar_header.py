"""The headers of a tar: blocks of 512 bytes as POSIX (ustar, pax) and GNU tar write them."""

from __future__ import annotations

from typing import NamedTuple
from zlib import adler32

from tcworker.extract.child.faults import ArchiveFault, show

BLOCK = 512

_CHECKSUM = slice(148, 156)
_BILLION = 10**9


class Header(NamedTuple):
    """What a block says of the member that follows.

    @ivar kind: one byte.
    @ivar mtime: in nanoseconds.
    """

    name: bytes
    kind: bytes
    size: int
    mode: int
    mtime: int
    target: bytes


def read_header(block: bytes) -> Header | None:
    """Read a block; C{None} if its checksum is wrong. Raises L{ArchiveFault} for one that makes no sense even so."""
    if not _is_sound(block):
        return None
    name = _text(block[:100])
    try:
        # In GNU tar's own headers other things are there.
        prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else b""
        size, mode, mtime = _number(block[124:136]), _number(block[100:108]), _number(block[136:148])
    except ValueError as error:
        raise ArchiveFault("its header has no number where one belongs").of(name) from error
    if size < 0:
        raise ArchiveFault("its size is less than nothing").of(name)
    full = prefix + b"/" + name if prefix else name
    return Header(full, block[156:157], size, mode, mtime * _BILLION, _text(block[157:257]))


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        # GNU tar's way with large ones: the first bit says so, the second is the sign.
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    return int(_text(field).strip() or b"0", 8)


def _is_sound(block: bytes) -> bool:
    try:
        stated = _number(block[_CHECKSUM])
    except ValueError:
        return False
    if stated == _sum(block) - _sum(block[_CHECKSUM]) + 8 * ord(" "):
        return True
    # Some of old took bytes for signed.
    rest = block[:148] + b" " * 8 + block[156:]
    return stated == sum(byte - 256 if byte > 127 else byte for byte in rest)


def _sum(data: bytes) -> int:
    """Add up bytes, of which 512 at the most are given."""
    # The lower half of an Adler-32 is one more than that, as long as it is below 65521: much faster than adding.
    return (adler32(data[:256]) & 0xFFFF) + (adler32(data[256:]) & 0xFFFF) - 2


def read_pax(records: bytes) -> dict[bytes, bytes]:
    """Read what an extended header says: lines of C{length key=value}. Raises L{ArchiveFault}."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(records) and records[at]:
        digits, _, _ = records[at : at + 20].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        key, is_pair, value = records[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if not is_pair or at + length > len(records) or records[at + length - 1 : at + length] != b"\n":
            raise ArchiveFault("an extended header of it is damaged")
        found[key] = value
        at += length
    return found


def apply_pax(header: Header, pax: dict[bytes, bytes]) -> Header:
    """Give a header as an extended one corrects it. Raises L{ArchiveFault}."""
    name, target = pax.get(b"path", header.name), pax.get(b"linkpath", header.target)
    try:
        size = int(pax.get(b"size", header.size))
        mtime = _nanoseconds(pax[b"mtime"]) if b"mtime" in pax else header.mtime
    except ValueError as error:
        raise ArchiveFault("an extended header of it has no number where one belongs").of(name) from error
    if size < 0:
        raise ArchiveFault("its size is less than nothing").of(name)
    if any(key.startswith(b"GNU.sparse.") for key in pax):
        raise ArchiveFault("it is a sparse file (tar --sparse), which is not read here").of(name)
    return header._replace(name=name, target=target, size=size, mtime=mtime)


def _nanoseconds(seconds: bytes) -> int:
    whole, _, part = seconds.partition(b".")
    if part and not part.isdigit():
        raise ValueError(f"no time: {show(seconds)}")
    return int(whole) * _BILLION + int(part[:9].ljust(9, b"0"))
