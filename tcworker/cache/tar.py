"""A folder as a tar, in pieces that are read as they are asked for."""

from __future__ import annotations

import os
import tarfile
from collections.abc import AsyncIterator, Iterator
from typing import IO

from tcworker.waiting import Executor

_PIECE = 1 << 20


async def pieces_of(path: str, threads: Executor) -> AsyncIterator[bytes]:
    """Give the contents of a folder that nobody changes meanwhile, its own name left out. Raises C{OSError}."""
    pieces = _pieces(path)
    while (piece := await threads.run(next, pieces, None)) is not None:
        yield piece


def _pieces(path: str) -> Iterator[bytes]:
    # Only makes headers: what goes into them it knows best, hard links included.
    with open(os.devnull, "wb") as nowhere, tarfile.open(mode="w", fileobj=nowhere) as tar:
        for folder, folders, files in os.walk(path):
            folders.sort()
            for name in sorted([*files, *folders]):
                yield from _entry(tar, os.path.join(folder, name), path)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _entry(tar: tarfile.TarFile, path: str, top: str) -> Iterator[bytes]:
    info = tar.gettarinfo(path, os.path.relpath(path, top))
    # A socket, which no tar can hold.
    if info is None:
        return
    header = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if not info.isreg():
        yield header
        return
    with open(path, "rb") as file:
        yield header
        yield from _contents(file, info.size)


def _contents(file: IO[bytes], size: int) -> Iterator[bytes]:
    left = size
    while left:
        # One that has become shorter is filled up: its header has already said how long it is.
        piece = file.read(min(left, _PIECE)) or bytes(min(left, _PIECE))
        left -= len(piece)
        yield piece
    yield bytes(-size % tarfile.BLOCKSIZE)
