"""Runs a command as a user who may nothing in particular.

That user exists in the command's own mount namespace only: there is nobody to be removed afterwards, whatever happens.
In it, too, the way to this checkout and to Python is open, though it may lead through folders that only root may enter.
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).absolute().parent.parent

NAME = "tcworker-tests"

_FIRST, _MANY = 59_000, 1000

_CLONE_NEWNS = 0x00020000

_OWN: set[int] = set()
"""The mount namespace that this process has made for itself, once it has."""


def possible() -> bool:
    """Whether this process may be somebody else in a namespace of its own."""
    tried = ["unshare", "--mount", "--propagation", "private", "true"]
    return os.geteuid() == 0 and subprocess.run(tried, stderr=subprocess.DEVNULL).returncode == 0


def command(folder: Path, arguments: Sequence[str]) -> list[str]:
    """Give what runs a command, this Python's arguments, as that user.

    @param folder: an empty one, which gets the user's home.
    """
    return [sys.executable, "-m", "tests.ordinary", str(folder), *arguments]


def main(folder: Path, arguments: Sequence[str]) -> NoReturn:
    """Be the user, in a namespace of our own, and run the command."""
    leave_namespace()
    # Of this process's own: several suites may run at a time.
    number = next(n for n in range(_FIRST + os.getpid() % _MANY, _FIRST + 2 * _MANY) if not _is_known(n))
    home = folder / "home"
    home.mkdir()
    os.chown(home, number, number)
    folder.chmod(0o755)
    passwd = f"{NAME}:x:{number}:{number}::{home}:/usr/sbin/nologin\n"
    _introduce(folder, passwd=passwd, group=f"{NAME}:x:{number}:\n")
    open_ways(folder, [ROOT, Path(sys.prefix), Path(sys.base_prefix)])
    os.setgroups([])
    os.setgid(number)
    os.setuid(number)
    os.chdir(ROOT)
    of_user = {"HOME": str(home), "TMPDIR": str(home), "USER": NAME, "LOGNAME": NAME, "PYTHONDONTWRITEBYTECODE": "1"}
    os.execve(sys.executable, [sys.executable, *arguments], {**os.environ, **of_user})


def leave_namespace() -> None:
    """Have a mount namespace of our own, from which nothing gets out. Raises C{OSError}."""
    library, before = ctypes.CDLL(None, use_errno=True), _namespace()
    if library.unshare(_CLONE_NEWNS) or _namespace() == before:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    _OWN.add(_namespace())


def _namespace() -> int:
    return os.stat("/proc/self/ns/mnt").st_ino


def _is_known(number: int) -> bool:
    return any(entry.pw_uid == number for entry in pwd.getpwall()) or any(g.gr_gid == number for g in grp.getgrall())


def _introduce(folder: Path, **lines: str) -> None:
    """Let files of /etc have one more line in this namespace."""
    # All of it, in memory that goes with the namespace: a single file that somebody replaces would lose its mount.
    etc = folder / "etc"
    etc.mkdir()
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", etc)
    with _locked():
        subprocess.run(["cp", "--archive", "/etc/.", etc], check=True)
    for name, line in lines.items():
        with (etc / name).open("a") as file:
            file.write(line)
    _mount("--bind", etc, "/etc")


@contextmanager
def _locked() -> Iterator[None]:
    """Let nobody make or remove users: their programs leave files in /etc that are gone a moment later."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.lckpwdf():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "/etc/.pwd.lock")
    try:
        yield
    finally:
        library.ulckpwdf()


def open_ways(folder: Path, paths: Sequence[Path]) -> None:
    """Let everybody come to some folders, in a namespace of our own.

    The first on the way that is closed is covered by an empty one, and they are put there.
    """
    held = {path: folder / f"held-{number}" for number, path in enumerate(paths)}
    for path, place in held.items():
        place.mkdir()
        _mount("--bind", path, place)
    for closed in filter(None, map(_closed, paths)):
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", closed)
    for path, place in held.items():
        if not path.is_dir() or not any(path.iterdir()):
            _put(place, path)
    for place in held.values():
        subprocess.run(["umount", "--lazy", place], check=True)


def _put(place: Path, path: Path) -> None:
    """Have what is in one folder in another one as well, each by itself: the folder may be closed too."""
    path.mkdir(parents=True, exist_ok=True)
    for entry in place.iterdir():
        target = path / entry.name
        if entry.is_symlink():
            target.symlink_to(entry.readlink())
            continue
        if entry.is_dir():
            target.mkdir()
        else:
            target.touch()
        _mount("--bind", entry, target)


def _closed(path: Path) -> Path | None:
    """The topmost folder on a way that not everybody may pass, C{None} if there is none."""
    for folder in (*reversed(path.parents), path):
        if folder.is_dir() and not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _mount(*arguments: object) -> None:
    # In the namespace of all others it would cover what they work with, and whoever removes our folder removes that.
    if _namespace() not in _OWN:
        raise RuntimeError("nothing is mounted here but in a namespace of our own: call leave_namespace first")
    subprocess.run(["mount", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
