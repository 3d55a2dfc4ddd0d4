"""Ways into folders that tasks can change, by descriptors: no link is followed, whoever puts one there meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence

from tcworker.removal import remove

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Owner = tuple[int, int]
"""Numbers of a user and a group."""

Identity = tuple[int, int]
"""Of something on a disk: the numbers of device and inode, which it keeps when it is moved, and nothing else has."""


def identity_of(entry: os.stat_result) -> Identity:
    """Give the one that a look found."""
    return entry.st_dev, entry.st_ino


class InTheWay(Exception):
    """Something on a way is no folder, or lies where something else shall; the text names it."""


@contextlib.contextmanager
def way(top: str, parts: Sequence[str], owner: Owner | None = None, *, make: bool = False) -> Iterator[int]:
    """Open the folder at the end of a way. Raises L{InTheWay}, and C{OSError}.

    @param top: a path that only the worker can change.
    @param make: whether folders that are not there are made.
    @param owner: whose those are, C{None} for the worker's own user.
    """
    folder = os.open(top, _FOLDER)
    try:
        for index, part in enumerate(parts):
            try:
                below = _enter(folder, part, owner, make)
            except NotADirectoryError as error:
                raise InTheWay(f"{'/'.join(parts[: index + 1])} is not a folder, or is a link") from error
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def check_free(top: str, parts: Sequence[str], for_file: bool) -> None:
    """Make sure that a way is one in a folder, as far as it leads to something there, and its end free.

    @param for_file: whether a file is to come there, which may take the place of another one; else a folder, which may
        take that of an empty one.
    @raise InTheWay: it is not. C{OSError}.
    """
    with contextlib.suppress(FileNotFoundError), way(top, parts[:-1]) as folder:
        name, place = parts[-1], "/".join(parts)
        if is_folder_at(folder, name):
            with way(top, parts) as there:
                if for_file or os.listdir(there):
                    raise InTheWay(f"{place} is a folder in what was mounted before")
        elif not for_file and os.lstat(name, dir_fd=folder):
            raise InTheWay(f"{place} is a file in what was mounted before")


def is_folder_at(folder: int, name: str) -> bool:
    """Whether a name is that of a folder."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode)
    return False


def merge(source: int, target: int) -> None:
    """Move all that is in a folder into another one, in the place of what is there; folders become one.

    @param source: nobody else may change it.
    """
    for name in os.listdir(source):
        if is_folder_at(source, name) and is_folder_at(target, name):
            with _opened(source, name) as below, _opened(target, name) as its_own:
                merge(below, its_own)
        else:
            remove(name, target)
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)


def new_in(source: int, target: int) -> Iterator[tuple[str, ...]]:
    """Give the ways to all that L{merge} would put there, save what is in that."""
    for name in os.listdir(source):
        if is_folder_at(source, name) and is_folder_at(target, name):
            with _opened(source, name) as below, _opened(target, name) as its_own:
                yield from ((name, *parts) for parts in new_in(below, its_own))
        else:
            yield (name,)


def _enter(folder: int, part: str, owner: Owner | None, make: bool) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    except OSError as error:
        # A link is told in another way than a file.
        if not is_folder_at(folder, part):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), part) from error
        raise
    return _make(folder, part, owner)


def _make(folder: int, part: str, owner: Owner | None) -> int:
    os.mkdir(part, 0o755, dir_fd=folder)
    made = os.open(part, _FOLDER, dir_fd=folder)
    if owner is not None:
        os.fchown(made, *owner)
    return made


@contextlib.contextmanager
def _opened(folder: int, name: str) -> Iterator[int]:
    descriptor = os.open(name, _FOLDER, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
