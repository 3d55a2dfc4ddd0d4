"""What a run sees at some paths in place of what lies there: folders that others read as well, as if they were its own.

A shared folder lies below one of the run's own in an overlay: what the run changes is made in its own folder, and what
it does not change is read from the shared one, whose owner is seen as the run's user.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tcworker.launcher import mount_calls
from tcworker.launcher.id_map import Owner, new_map

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_OPTIONS = "redirect_dir=on,index=off,metacopy=off"
"""Renaming a folder must work as on any disk; and what is below changes for nobody, so that no index is needed."""


_NEVER = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENODEV, errno.EXDEV}
"""What kernel and disks say that will not show it to the next run either, unless it comes of what this one wants."""


class CannotShow(Exception):
    """Kernel or disk do not let a run see something as it should; the text says why.

    @ivar lasting: whether that will be so for others, too.
    """

    def __init__(self, why: str, lasting: bool) -> None:
        super().__init__(why)
        self.lasting = lasting

    @classmethod
    def at(cls, path: str, error: OSError, common: bool = False) -> CannotShow:
        """Say what went wrong at a place.

        @param common: whether any run may want the same; what only this one wanted says nothing of others.
        """
        return cls(f"{path}: {error.strerror or error}", common and error.errno in _NEVER)


class Place(NamedTuple):
    """A folder by a way that no link can turn aside: from a path that only the worker can change, part by part."""

    top: str
    parts: Sequence[str] = ()

    @property
    def path(self) -> str:
        """For people, and for sorting."""
        return os.path.join(self.top, *self.parts)


class View(NamedTuple):
    """What a run sees at one place.

    @ivar target: where it is seen.
    @ivar layers: the shared folders, the first over the others; none for a folder of the run's own.
    @ivar own: the run's own folder, that takes what it changes; C{None} if it can change nothing.
    @ivar mapped: whether what belongs to the owner of C{own} on the disk is seen as the run's.
    @ivar work: for the kernel, should there be layers: an empty folder of ours alone, on the disk of C{own}.
    """

    target: Place
    layers: Sequence[Place]
    own: Place | None
    work: str | None = None
    mapped: bool = False

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> View:
        """Read it from the message that starts a run."""
        own = Place(*message["own"]) if message["own"] else None
        layers = [Place(*layer) for layer in message["layers"]]
        return cls(Place(*message["target"]), layers, own, message["work"], message["mapped"])


class Views(NamedTuple):
    """All that a run sees.

    @ivar seen_as: whose what is shared shall be.
    @ivar plain: whether no file there gives its owner's rights to who runs it, and none is a device.
    """

    views: Sequence[View]
    seen_as: Owner
    plain: bool

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Views | None:
        """Read them from the message that starts a run; C{None} for one that sees what lies there."""
        if (found := message["views"]) is None:
            return None
        uid, gid = found["seenAs"]
        return cls([View.of(view) for view in found["views"]], (uid, gid), found["plain"])


class Held(NamedTuple):
    """What a view needs, open."""

    view: View
    layers: Sequence[int]
    own: int | None
    work: int | None

    @property
    def common(self) -> bool:
        """Whether any run may want the same: no more layers than one, and nothing on a disk that the task chose."""
        disks = {os.fstat(folder).st_dev for folder in (self.own, self.work) if folder is not None}
        return len(self.layers) <= 1 and len(disks) <= 1


class Viewer:
    """Shows a run its views: takes hold of what they need while all can be reached, then mounts it.

    Raises L{CannotShow} in both.

    @param stack: closes what is open meanwhile.
    """

    def __init__(self, views: Views, stack: contextlib.ExitStack) -> None:
        self._seen_as, self._plain, self._stack = views.seen_as, views.plain, stack
        self._maps: dict[Owner, int] = {}
        # What is further up must be there before what is in it.
        in_order = sorted(views.views, key=lambda view: len(view.target.path))
        self._held = [self._hold(view) for view in in_order]

    def show(self) -> None:
        """Mount all of them."""
        for held in self._held:
            self._show(held)

    def _show(self, held: Held) -> None:
        view, layers, own, work = held
        try:
            target = self._open(view.target)
            if own is not None and not layers:
                mount_calls.attach(self._own(own, view.mapped), target)
            elif own is None and len(layers) == 1:
                mount_calls.attach(self._layer(layers[0]), target)
            else:
                assert work is not None
                self._overlay(target, layers, own, work)
        except OSError as error:
            raise CannotShow.at(view.target.path, error, held.common) from error

    def _hold(self, view: View) -> Held:
        try:
            own = self._open(view.own) if view.own is not None else None
            work = self._open(Place(view.work)) if view.work is not None else None
            return Held(view, [self._open(layer) for layer in view.layers], own, work)
        except OSError as error:
            raise CannotShow.at(view.target.path, error) from error

    def _overlay(self, target: int, layers: Sequence[int], own: int | None, work: int) -> None:
        mounted = [self._layer(layer) for layer in layers]
        data = f"{_OPTIONS},lowerdir=" + ":".join(map(mount_calls.path_of, mounted))
        if own is not None:
            data += f",upperdir={mount_calls.path_of(own)},workdir={mount_calls.path_of(work)}"
        with contextlib.ExitStack() as undo:
            # The kernel takes only layers that can be seen somewhere, if only for a moment.
            for layer in mounted:
                mount_calls.attach(layer, work)
                undo.callback(mount_calls.detach, layer)
            flags = mount_calls.NOSUID | mount_calls.NODEV if self._plain else 0
            mount_calls.mount("overlay", mount_calls.path_of(target), "overlay", flags, data)

    def _own(self, folder: int, mapped: bool) -> int:
        return self._cloned(folder, self._map(folder) if mapped else None, read_only=False)

    def _layer(self, folder: int) -> int:
        return self._cloned(folder, self._map(folder), read_only=True)

    def _cloned(self, folder: int, user_namespace: int | None, read_only: bool) -> int:
        mounted = self._keep(mount_calls.clone(folder))
        mount_calls.set_attributes(mounted, user_namespace=user_namespace, read_only=read_only, plain=self._plain)
        return mounted

    def _map(self, folder: int) -> int | None:
        entry = os.fstat(folder)
        on_disk = entry.st_uid, entry.st_gid
        if on_disk == self._seen_as:
            return None
        if on_disk not in self._maps:
            self._maps[on_disk] = self._keep(new_map(on_disk, self._seen_as))
        return self._maps[on_disk]

    def _open(self, place: Place) -> int:
        folder = self._keep(os.open(place.top, _FOLDER))
        for part in place.parts:
            folder = self._keep(os.open(part, _FOLDER, dir_fd=folder))
        return folder

    def _keep(self, descriptor: int) -> int:
        self._stack.callback(os.close, descriptor)
        return descriptor
