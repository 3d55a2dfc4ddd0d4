"""A C{tcworker} that a test holds at a step, for as long as there is a file that says at which.

Its first argument is a folder. While a file C{hold} is in it, whichever thread comes to that step stops there, and
makes a file C{held}.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any

CALLS = ("rename", "unlink", "rmdir")

_COPIES = """#!/bin/sh
/bin/cp "$@" || exit 1
test -e {folder}/hold-copies || exit 0
for target do :; done
rm "$target/count"
# Pipes of the worker that stay open would seem to be the worker.
exec < /dev/null > /dev/null
touch {folder}/copied/held
while test -e {folder}/hold-copies; do sleep 0.05; done
exec /bin/cp "$@"
"""
"""In the place of C{cp}: while a file C{hold-copies} is in the folder it stops before all is copied."""


class Hold:
    """Stops what calls the system.

    @param folder: the test's.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        for name in CALLS:
            setattr(os, name, self._instead_of(name, getattr(os, name)))

    def _instead_of(self, name: str, call: Callable[..., None]) -> Callable[..., None]:
        def stop_or_call(*paths: Any, **folders: int | None) -> None:
            words = f"{name} {' '.join(_absolute(path, folder) for path, folder in _pairs(paths, folders))}"
            self._stop_if_asked(f"before {words}")
            call(*paths, **folders)
            self._stop_if_asked(f"after {words}")

        return stop_or_call

    def _stop_if_asked(self, step: str) -> None:
        while (pattern := self._asked()) is not None and re.search(pattern, step):
            with open(os.path.join(self._folder, "held"), "w") as file:
                file.write(step)
            time.sleep(0.05)

    def _asked(self) -> str | None:
        try:
            with open(os.path.join(self._folder, "hold")) as file:
                return str(json.load(file))
        except FileNotFoundError:
            return None


def _pairs(paths: tuple[Any, ...], folders: dict[str, int | None]) -> list[tuple[Any, int | None]]:
    names = ("src_dir_fd", "dst_dir_fd") if len(paths) == 2 else ("dir_fd",)
    return list(zip(paths, (folders.get(name) for name in names), strict=True))


def _absolute(path: Any, folder: int | None) -> str:
    """What a path leads to from an open folder."""
    around = os.getcwd() if folder is None else os.readlink(f"/proc/self/fd/{folder}")
    return os.path.join(around, os.fsdecode(path))


def _slow_copies(folder: str) -> None:
    bin, copied = os.path.join(folder, "bin"), os.path.join(folder, "copied")
    os.makedirs(bin, exist_ok=True)
    os.makedirs(copied, exist_ok=True)
    # Whoever has the folder copies it.
    os.chmod(copied, 0o777)
    with open(os.open(os.path.join(bin, "cp"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o755), "w") as file:
        file.write(_COPIES.format(folder=folder))
    os.defpath = f"{bin}:{os.defpath}"


def main() -> int:
    """Be the command."""
    folder = sys.argv.pop(1)
    _slow_copies(folder)
    # Before all that may keep the calls as they are.
    Hold(folder)
    from tcworker.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
