"""C{--checkout}: each task gets a copy of a working tree, and finds it through a variable."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tcworker.errors import ResourceUnavailable
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IEngine, IFeature, ITaskContext, ITaskFeature
from tcworker.waiting import Threads

VARIABLE = "CHECKOUT"


def copy_tree(source: str, target: str) -> None:
    """Copy a working tree into a new folder: of a git work tree what git does not ignore, else everything.

    Links stay links; sockets, pipes and devices are left out, and so is C{.git}.
    """
    os.makedirs(target)
    paths = _paths_of_git(source)
    # The target may be in the source: copying that too would never end.
    for path in _all_paths(source, apart=target) if paths is None else paths:
        _copy(os.path.join(source, path), os.path.join(target, path))


def _paths_of_git(folder: str) -> list[str] | None:
    """What git knows or would know of a folder; C{None} when it is in no work tree, or is itself ignored there."""
    # Neither the owner of the folder nor a hook in its configuration matters: files are listed, nothing else.
    options = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", folder]
    command = ["git", *options, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    try:
        listed = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    except OSError:
        return None
    if listed.returncode != 0:
        return None
    # A work tree inside this one is listed as a folder, with a slash at its end.
    return [os.fsdecode(path).rstrip("/") for path in listed.stdout.split(b"\0") if path] or None


def _all_paths(source: str, apart: str) -> Iterator[str]:
    apart = os.path.realpath(apart)
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(folder, name)) != apart]
        for name in (*folders, *files):
            yield os.path.relpath(os.path.join(folder, name), source)


def _copy(source: str, target: str) -> None:
    try:
        mode = os.lstat(source).st_mode
    except FileNotFoundError:
        # git still lists what was deleted and not committed; others may delete while we copy.
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if stat.S_ISDIR(mode):
        _copy_folder(source, target)
    elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        shutil.copy2(source, target, follow_symlinks=False)


def _copy_folder(source: str, target: str) -> None:
    # git lists a work tree in a work tree as one path, with nothing that is in it.
    if os.path.exists(os.path.join(source, ".git")):
        copy_tree(source, target)
    else:
        os.makedirs(target, exist_ok=True)


def open_tree(folder: str) -> None:
    """Let every user who knows of a tree do with it what its owner can."""
    for parent, _, names in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in names)):
            mode = os.lstat(path).st_mode
            if not stat.S_ISLNK(mode):
                os.chmod(path, stat.S_IMODE(mode) | (mode & stat.S_IRWXU) >> 3 | (mode & stat.S_IRWXU) >> 6)


@implementer(IFeature)
class CheckoutFeature:
    """Gives each run a fresh copy of a folder, which goes when the run does.

    @param scratch: in which the copies are made; it is there when the first run begins.
    @param for_others: whether runs have users of their own; who is at home in C{scratch} does not learn where others'
        copies are.
    """

    name = "checkout"
    schema: Mapping[str, Any] = {"properties": {}, "required": []}
    after = ()

    def __init__(self, threads: Threads, folder: str, scratch: str, *, for_others: bool = False) -> None:
        self._threads = threads
        self._folder = folder
        self._scratch = scratch
        self._for_others = for_others

    def for_task(self, context: ITaskContext) -> ITaskFeature:
        """See L{IFeature.for_task}."""
        place = os.path.join(self._scratch, f"{context.task_id}-{context.run_id}")
        return _Checkout(self._threads, self._folder, place, self._for_others)


class _Checkout(TaskFeature):
    def __init__(self, threads: Threads, folder: str, place: str, for_others: bool) -> None:
        self._threads = threads
        self._folder = folder
        self._place = place
        self._for_others = for_others
        # The user of the task is not made yet. Whoever is to have the copy is told its name, and nobody can guess it.
        self._copy = os.path.join(place, secrets.token_hex(16)) if for_others else place

    def load(self, engine: IEngine) -> Deferred[None]:
        engine.set_env(VARIABLE, self._copy)
        return self._threads.run(self._make)

    def cleanup(self) -> Deferred[None]:
        # Its errors do not matter: what is left goes with the whole scratch folder.
        return self._threads.run(shutil.rmtree, self._place, True)

    def _make(self) -> None:
        try:
            if self._for_others:
                os.mkdir(self._place, 0o700)
            copy_tree(self._folder, self._copy)
            if self._for_others:
                open_tree(self._copy)
                os.chmod(self._place, 0o711)
        except OSError as error:
            raise ResourceUnavailable(f"{self._folder} could not be copied: {error}") from error
