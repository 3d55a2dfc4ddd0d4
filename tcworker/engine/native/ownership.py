"""Whose the content of a cache is: whoever owns its top folder owns all of it, so that no walk is needed to know.

Root owns the top of one whose content belongs to different users, and of one whose owner is being changed, so that a
worker that dies meanwhile leaves nothing wrong.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator

from tcworker.engine.native.ways import Identity, Owner, identity_of

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NOBODYS: Owner = (0, 0)
"""Of a cache's top: its content is root's, or that of different users."""


class Stopped(Exception):
    """It was told to stop."""


def owner_of(path: str) -> Owner:
    """Whose a cache is. Raises C{OSError}."""
    entry = os.lstat(path)
    return entry.st_uid, entry.st_gid


def is_one_users(owner: Owner) -> bool:
    """Whether the owner of a cache's top owns all of it."""
    return owner[0] != NOBODYS[0]


def give(path: str, owner: Owner, stopped: Callable[[], bool]) -> None:
    """Let a cache, which nobody else can reach, be somebody's as a whole. Raises C{OSError} and L{Stopped}."""
    top = os.open(path, _FOLDER)
    try:
        before = os.fstat(top)
        if (before.st_uid, before.st_gid) == owner:
            return
        os.fchown(top, *NOBODYS)
        for folder, names in _folders(top):
            if stopped():
                raise Stopped
            for name in names:
                _give_one(folder, name, before.st_uid, owner)
        os.fchown(top, *owner)
    finally:
        os.close(top)


def mark_mixed(path: str) -> None:
    """Note that the content of a cache is not one user's. Raises C{OSError}."""
    os.chown(path, *NOBODYS, follow_symlinks=False)


def _give_one(folder: int, name: str, before: int, owner: Owner) -> None:
    entry = os.lstat(name, dir_fd=folder)
    if entry.st_uid == owner[0]:
        return
    # A file that has other names may be the machine's own: not every kernel keeps tasks from linking those.
    mine = entry.st_uid == before != NOBODYS[0]
    if mine or stat.S_ISDIR(entry.st_mode) or entry.st_nlink == 1:
        os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)


def _folders(top: int) -> Iterator[tuple[int, list[str]]]:
    """All folders, each open for a moment, with the names in it: however deep, only one is open at a time."""
    folder = os.dup(top)
    waiting, trail = [_below(folder)], [identity_of(os.fstat(folder))]
    try:
        yield folder, os.listdir(folder)
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                trail.pop()
                folder = _climb(folder, trail[-1]) if waiting else folder
                continue
            folder = _step(folder, waiting[-1].pop())
            waiting.append(_below(folder))
            trail.append(identity_of(os.fstat(folder)))
            yield folder, os.listdir(folder)
    finally:
        os.close(folder)


def _climb(folder: int, above: Identity) -> int:
    # Whoever got a descriptor into the cache from an earlier task can move a folder while we are in it: out of it lies
    # the machine.
    there = os.open("..", _FOLDER, dir_fd=folder)
    if identity_of(os.fstat(there)) != above:
        os.close(there)
        raise OSError(errno.ESTALE, "somebody moves what is in it")
    os.close(folder)
    return there


def _step(folder: int, name: str) -> int:
    there = os.open(name, _FOLDER, dir_fd=folder)
    os.close(folder)
    return there


def _below(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
