"""Folders of its own for a run, where all others see those of the machine: a mount namespace.

What a task puts into /tmp, /var/tmp and /dev/shm then is gone with it, and nobody else ever sees it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tcworker.launcher.mount_calls import BIND, CLONE_NEWNS, NODEV, NOSUID, REC, REMOUNT, SLAVE, call, mount, path_of
from tcworker.launcher.views import CannotShow, Viewer, Views

_NOT_ALLOWED = {errno.EPERM, errno.ENOSYS}

ON_DISK = {"/tmp": "tmp", "/var/tmp": "var-tmp"}
IN_MEMORY = "/dev/shm"
"""Where a run has a file system in memory of its own."""

_SHARED = ("/tmp/.X11-unix",)
"""What tasks need of the machine's own: where its display is spoken to."""


class Private(NamedTuple):
    """What a run has for itself.

    @ivar folder: holds one folder for each that lies on a disk, see L{folders_on_disk}.
    @ivar keep: paths that the run sees as all others do, though they may lie in one of those.
    @ivar plain: whether in these no file gives its owner's rights to who runs it, and none is a device. Else a task
        could leave one that makes another into it, long after its user has gone.
    """

    folder: str
    keep: Sequence[str]
    plain: bool

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Private | None:
        """Read it from the message that starts a run; C{None} for one that sees the machine as it is."""
        return cls(**message["private"]) if message["private"] else None


def folders_on_disk() -> Sequence[str]:
    """The names of the folders that L{Private.folder} must hold, for everybody to write to."""
    return list(ON_DISK.values())


class Namespace:
    """The mounts that this process and all that it starts see. Only for Linux, and only for root."""

    def __init__(self) -> None:
        self._machine: int | None = None

    def enter(self, private: Private | None, views: Views | None = None) -> bool:
        """See some folders otherwise than others; false if the kernel does not allow it.

        It fails whole: then all is seen as before. Raises L{CannotShow}, and C{OSError}.
        """
        try:
            self._machine = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            call("unshare", CLONE_NEWNS)
        except OSError as error:
            self._forget()
            if error.errno in _NOT_ALLOWED:
                return False
            raise
        try:
            # What the machine mounts later is seen, and nothing of ours goes back.
            mount("none", "/", "", REC | SLAVE)
            _mount_all(private, views)
        except CannotShow:
            self.leave()
            raise
        except OSError as error:
            self.leave()
            if error.errno in _NOT_ALLOWED:
                return False
            raise
        return True

    def leave(self) -> None:
        """See the machine as it is again; what was mounted goes with the last who sees it. Raises C{OSError}."""
        if self._machine is not None:
            call("setns", self._machine, CLONE_NEWNS)
            self._forget()

    def _forget(self) -> None:
        if self._machine is not None:
            os.close(self._machine)
            self._machine = None


def _mount_all(private: Private | None, views: Views | None) -> None:
    with contextlib.ExitStack() as stack:
        # By descriptors, for the first mount may hide where the others are.
        viewer = Viewer(views, stack) if views is not None else None
        if private is not None:
            _mount_private(private)
        if viewer is not None:
            viewer.show()


def _mount_private(private: Private) -> None:
    with contextlib.ExitStack() as stack:
        # As above: it may hide these.
        kept = {os.path.realpath(path): _hold(stack, path) for path in private.keep}
        shared = {path: _hold(stack, path) for path in _SHARED if _is_of_root(path)}
        # One may be a link to another.
        sources = {
            os.path.realpath(target): _hold(stack, os.path.join(private.folder, name))
            for target, name in ON_DISK.items()
            if os.path.isdir(target)
        }
        for place, source in sources.items():
            _bind(source, place, plain=True)
        if os.path.isdir(IN_MEMORY):
            mount("tmpfs", IN_MEMORY, "tmpfs", NOSUID | NODEV, "mode=1777")
        for path, descriptor in (shared | kept).items():
            if any(_is_within(path, place) for place in (*sources, os.path.realpath(IN_MEMORY))):
                _make_way(path)
            _bind(descriptor, path, plain=path in kept and private.plain)


def _is_of_root(path: str) -> bool:
    """Whether there is a folder, and not one that anybody else can make lead elsewhere."""
    with contextlib.suppress(OSError):
        entry = os.lstat(path)
        return stat.S_ISDIR(entry.st_mode) and entry.st_uid == 0
    return False


def _is_within(path: str, place: str) -> bool:
    return os.path.commonpath((path, place)) == place


def _make_way(path: str) -> None:
    before = os.umask(0o022)
    try:
        os.makedirs(path, 0o755, exist_ok=True)
    finally:
        os.umask(before)


def _hold(stack: contextlib.ExitStack, path: str) -> int:
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor


def _bind(descriptor: int, target: str, plain: bool) -> None:
    mount(path_of(descriptor), target, "", BIND | REC)
    if plain:
        # A bind takes no such flags at once.
        mount("none", target, "", BIND | REMOUNT | NOSUID | NODEV)
