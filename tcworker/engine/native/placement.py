"""Puts what is attached to a run in its place, and takes a task's caches back. For threads: it all blocks."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from twisted.logger import Logger

from tcworker.engine.attached import Attached, Kind, Target
from tcworker.engine.native import ownership
from tcworker.engine.native.carrier import Carrier, copy_file
from tcworker.engine.native.disk_errors import NoRoom, as_task_error, described
from tcworker.engine.native.grounds import Grounds, NoPlace, Spot
from tcworker.engine.native.home import Home
from tcworker.engine.native.outside import Outside
from tcworker.engine.native.sights import Sights
from tcworker.engine.native.ways import (
    Identity,
    InTheWay,
    Owner,
    check_free,
    identity_of,
    is_folder_at,
    merge,
    new_in,
    way,
)
from tcworker.errors import ResourceUnavailable, TaskFailed
from tcworker.removal import Unwanted, remove
from tcworker.task.outcome import full_disk

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}
_OUT_OF_REACH = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.EBUSY}

_log = Logger()


@dataclass(frozen=True)
class Placed:
    """Something in its place."""

    attached: Attached
    spot: Spot

    @property
    def above(self) -> tuple[tuple[str, tuple[str, ...]], str]:
        """The way to the folder that it is in, and its name there."""
        *way_there, name = self.spot.parts or [os.path.basename(self.spot.top)]
        return (self.spot.top if self.spot.parts else os.path.dirname(self.spot.top), tuple(way_there)), name


@dataclass(frozen=True)
class PlacedCache(Placed):
    """A cache in its place.

    @ivar owner: whose it is on the disk, C{None} for the worker's own user.
    @ivar identity: of its folder.
    @ivar aside: a path where only we reach it, by way of which it is taken back.
    @ivar copied: whether it is where it was as well, until L{Placement.keep}.
    """

    owner: Owner | None
    identity: Identity
    aside: str
    copied: bool


class Placement:
    """What is attached to one run.

    @param shows: whether the run can be shown folders as its own (L{tcworker.launcher.views}); else they are copied.
    @param as_worker: whether the task runs with the worker's rights, though it may have a user.
    """

    def __init__(self, home: Home, attached: Iterable[Attached], shows: bool, as_worker: bool) -> None:
        assert home.scratch is not None
        self._attached = attached
        self._owner: Owner | None = home.user.owner
        self._as_worker, self._shows = as_worker, shows
        # Such a task makes files for whom it likes.
        self._of_root = os.geteuid() == 0 and (as_worker or self._owner is None)
        # One that has the same number in every run is given what it has once and for all.
        self._maps = shows and home.own and not as_worker
        self._tasks_dir = os.path.dirname(home.folder)
        self._grounds = Grounds(home.folder, home.private, home.user)
        self._carrier = Carrier(home.scratch)
        self._sights = Sights(lambda: self._carrier.new_folder("work"))
        self._placed: list[Placed] = []
        self._outside = Outside(home.scratch)

    def place(self) -> list[Mapping[str, Any]]:
        """Put all in its place.

        @return: what the run must be shown, for the order to its supervisor; nothing if it sees what there is.
        @raise TaskError: something cannot be placed; L{put_back} is to be called, as for all that does not run.
        """
        for attached in self._attached:
            with self._explained(attached):
                if self._carrier.stopped():
                    raise ownership.Stopped
                self._check_trees(attached)
                self._places[attached.kind](self, attached)
        return self._sights.messages()

    def remove_outside(self) -> None:
        """Let nothing of it lie in folders of the machine, save caches that were taken back. Raises C{OSError}."""
        self._outside.remove()

    def stop(self) -> None:
        """Let L{place} and L{take_back} end by an error if they copy, or before the next thing. From any thread."""
        self._carrier.stop()

    def keep(self) -> None:
        """The run has begun, whose copies are its caches from now on: remove what they were made of."""
        for placed in self._caches():
            if placed.copied:
                try:
                    remove(placed.attached.source, wanted=lambda: not self._carrier.stopped())
                except (OSError, Unwanted) as error:
                    # It is tried again before the cache comes back.
                    _log.warn("{path}, which was copied, cannot go: {error}", path=placed.attached.source, error=error)

    def put_back(self) -> None:
        """Have all caches where they were, of a run that never ran; one that cannot be moved is lost, and logged."""
        for placed in reversed(self._caches()):
            try:
                self._set_aside(placed)
                # Else it is there already.
                if not placed.copied:
                    self._carrier.move_back(placed.aside, placed.attached.source)
            except (OSError, InTheWay) as error:
                _log.error("the cache that was in {path} is lost: {error}", path=placed.attached.source, error=error)
            self._placed.remove(placed)

    def take_back(self, path: str) -> None:
        """Have a cache where it was, with what the task made of it.

        @raise NoRoom: to be called again when there is more, else it is lost.
        @raise TaskError: it is lost.
        """
        placed = next((one for one in self._caches() if one.attached.source == path), None)
        if placed is None:
            raise TaskFailed(f"{path} is no cache of this task, or was taken back before")
        target = placed.attached.target
        try:
            self._take_back(placed)
        except (FileNotFoundError, NotADirectoryError, InTheWay) as error:
            raise TaskFailed(
                f"the task removed the folder {target}, which is its cache, and not what is in it"
            ) from error
        except OSError as error:
            if full_disk(error):
                what = f"{described(placed.attached, placed.aside)} on {target} cannot be kept"
                raise NoRoom.on_disk(os.path.dirname(path), what, error) from error
            raise as_task_error(f"the cache on {target} cannot be kept", error, path) from error

    def _caches(self) -> list[PlacedCache]:
        return [placed for placed in self._placed if isinstance(placed, PlacedCache)]

    def _take_back(self, placed: PlacedCache) -> None:
        """Take it out of the run's hands, and have it where it was; may be called again after a full disk."""
        source = placed.attached.source
        try:
            if not os.path.lexists(placed.aside):
                self._set_aside(placed)
            if placed.copied:
                remove(source)
            self._carrier.move_back(placed.aside, source)
        except BaseException as error:
            if not full_disk(error):
                self._placed.remove(placed)
            raise
        self._placed.remove(placed)
        if self._of_root:
            ownership.mark_mixed(source)

    def _set_aside(self, placed: PlacedCache) -> None:
        above, name = placed.above
        with way(*above) as folder:
            # Who got a descriptor of a cache around it from an earlier task can put something else there.
            self._carrier.set_aside(folder, name, placed.aside, placed.identity)

    def _check_trees(self, new: Attached) -> None:
        """Look whether folders that are only shown have something in the way, which is not seen on the disk."""
        for tree in (placed.attached for placed in self._placed if placed.attached.kind is Kind.TREE):
            if new.kind is not Kind.TREE and new.target.within(tree.target):
                check_free(tree.source, new.target.parts[len(tree.target.parts) :], new.kind is Kind.FILE)

    def _place_cache(self, cache: Attached) -> None:
        # One that was lost by an accident, which was logged, can be filled anew.
        with contextlib.suppress(FileExistsError):
            os.mkdir(cache.source, 0o700)
        mapped = self._take_on(cache.source)
        owner = ownership.owner_of(cache.source) if mapped else self._owner
        spot = self._find(cache)
        # Made now: the task may leave no room for it.
        aside = os.path.join(self._carrier.new_folder("out"), "it")
        above, name = Placed(cache, spot).above
        with way(*above, self._owner_at(cache.target), make=True) as folder:
            # Not looked up there: something else may have taken its place by then.
            identity, copied = self._carrier.move_in(cache.source, folder, name, partial(self._note, spot))
        self._placed.append(PlacedCache(cache, spot, owner, identity, aside, copied))
        self._sights.add_cache(spot, mapped)

    def _note(self, spot: Spot, identity: Identity) -> None:
        """Note what is about to be in a place, where it does not go with what the run has of its own."""
        if self._grounds.is_outside(spot):
            self._outside.add(spot, identity)

    def _owner_at(self, target: Target) -> Owner | None:
        """Who is to own what is made in some place: in a cache that is only shown as the run's, whom that is of."""
        around = [placed for placed in self._caches() if target.within(placed.attached.target)]
        return around[-1].owner if around else self._owner

    def _take_on(self, path: str) -> bool:
        """Let a cache be the run's; whether the run must be shown it so, since on the disk it is another user's."""
        before = ownership.owner_of(path)
        # What has just been made is nobody's; what tasks with root's rights had stays as it is.
        owner = ownership.NOBODYS if self._of_root else self._owner
        if owner is None or before == owner:
            return False
        if self._maps and ownership.is_one_users(before):
            return True
        ownership.give(path, owner, self._carrier.stopped)
        return False

    def _place_tree(self, tree: Attached) -> None:
        in_cache = self._is_in_cache(tree.target)
        # What the task changes there must be in its cache, as if it had been extracted there.
        if not self._shows or (in_cache and not tree.read_only):
            self._copy_tree(tree)
            return
        spot = self._find(tree)
        with way(spot.top, spot.parts, self._owner_at(tree.target), make=True):
            self._clear_way(tree)
        if self._grounds.is_outside(spot) and not in_cache:
            spot = self._stand_in(tree, spot)
        self._placed.append(Placed(tree, spot))
        self._sights.add_tree(spot, tree.source, tree.read_only)

    def _is_in_cache(self, target: Target) -> bool:
        """Whether what comes there is a cache's from then on."""
        return any(target.within(placed.attached.target) for placed in self._caches())

    def _stand_in(self, tree: Attached, spot: Spot) -> Spot:
        """Let what the task changes in a folder of the machine lie in the scratch, not where the next one finds it."""
        ours = self._grounds.stand_in(spot, tree.target, self._carrier.new_folder("own"))
        for placed in [one for one in self._placed if one.attached.target.within(tree.target)]:
            below = placed.attached.target.parts[len(tree.target.parts) :]
            if placed.attached.kind is Kind.FILE:
                self._move_file(placed)
            else:
                # Something must be there to be shown on.
                with way(ours.top, below, self._owner, make=True):
                    pass
        return ours

    def _move_file(self, placed: Placed) -> None:
        above, name = placed.above
        with way(*above) as folder:
            there = name in os.listdir(folder)
            remove(name, folder)
        self._placed.remove(placed)
        if there:
            self._place_file(placed.attached)

    def _clear_way(self, tree: Attached) -> None:
        """Remove files where a folder that came later has something."""
        for placed in self._placed:
            if placed.attached.kind is not Kind.FILE or not placed.attached.target.within(tree.target):
                continue
            below = placed.attached.target.parts[len(tree.target.parts) :]
            if os.path.lexists(os.path.join(tree.source, *below)):
                above, name = placed.above
                with way(*above) as folder:
                    remove(name, folder)

    def _copy_tree(self, tree: Attached) -> None:
        copy = self._carrier.copy(tree.source)
        its_owner = self._owner_at(tree.target)
        owner = (0, 0) if tree.read_only and its_owner is not None else its_owner
        if owner is not None:
            ownership.give(copy, owner, self._carrier.stopped)
        spot = self._find(tree)
        there = os.path.lexists(os.path.join(spot.top, *spot.parts))
        with way(spot.top, spot.parts, its_owner, make=True) as folder, way(copy, ()) as copied:
            new = list(new_in(copied, folder)) if there else [()]
            for below in new:
                entry = os.lstat(os.path.join(copy, *below)) if below else os.fstat(folder)
                self._note(spot._replace(parts=[*spot.parts, *below]), identity_of(entry))
            merge(copied, folder)
            if tree.read_only:
                if owner is not None:
                    os.fchown(folder, *owner)
                _forbid_changes(folder)

    def _place_file(self, file: Attached) -> None:
        spot = self._grounds.find(file.target)
        if spot is None:
            raise NoPlace(
                f"{file.target}: outside of the task's folder and /tmp a file can only lie in a mounted folder"
            )
        placed = Placed(file, spot)
        above, name = placed.above
        owner = self._owner_at(file.target)
        with way(*above, owner, make=True) as folder:
            if is_folder_at(folder, name):
                raise InTheWay(f"{file.target} is a folder")
            remove(name, folder)
            made = os.open(name, _NEW_FILE, 0o644, dir_fd=folder)
            try:
                if not self._is_in_cache(file.target):
                    self._note(spot, identity_of(os.fstat(made)))
                _fill(made, file.source, owner, self._carrier.stopped)
            finally:
                os.close(made)
        self._placed.append(placed)

    @contextlib.contextmanager
    def _explained(self, attached: Attached) -> Iterator[None]:
        """Say of what goes wrong whose fault it is."""
        label, target = attached.label, attached.target
        try:
            yield
        except (InTheWay, NoPlace) as error:
            raise TaskFailed(f"{label}: {error}") from error
        except ownership.Stopped as error:
            raise ResourceUnavailable(f"{label}: given up") from error
        except OSError as error:
            if full_disk(error):
                raise self._no_room_to_place(attached, error) from error
            if error.errno in _OCCUPIED:
                raise TaskFailed(f"{label}: on {target} lies something already, in a cache of the task's") from error
            if error.errno in _OUT_OF_REACH and error.filename != attached.source:
                text = f"{label}: {target} cannot be made: {error.strerror}. Choose a path below the task's folder"
                raise TaskFailed(text) from error
            raise as_task_error(f"{label}: {target} cannot be made", error, attached.source) from error

    def _no_room_to_place(self, attached: Attached, error: OSError) -> NoRoom:
        in_scratch = str(error.filename).startswith(f"{self._carrier.scratch}/")
        spot = self._grounds.find(attached.target)
        elsewhere = spot is not None and self._grounds.is_outside(spot) and not in_scratch
        folder = spot.top if spot is not None and elsewhere else self._tasks_dir
        what = f"{attached.label}: {described(attached, attached.source)} cannot be put on {attached.target}"
        no_room = NoRoom.on_disk(folder, what, error)
        # Other folders in the scratch may lack room, too, where nothing is to be copied.
        no_room.too_large = attached.too_large if self._carrier.is_of_copy(str(error.filename)) else None
        return no_room

    def _find(self, attached: Attached) -> Spot:
        if (spot := self._grounds.find(attached.target)) is not None:
            return spot
        if not self._shows:
            raise NoPlace(f"{attached.target}: tasks can have folders only in their own and in /tmp here")
        path = self._carrier.new_folder("lent")
        if self._owner is not None:
            os.chown(path, *self._owner)
        return self._grounds.lend(attached.target, path)

    _places: ClassVar[Mapping[Kind, Callable[[Placement, Attached], None]]] = {
        Kind.CACHE: _place_cache,
        Kind.TREE: _place_tree,
        Kind.FILE: _place_file,
    }


def _fill(made: int, source: str, owner: Owner | None, stopped: Callable[[], bool]) -> None:
    copy_file(source, made, stopped)
    os.fchmod(made, 0o644)
    if owner is not None:
        os.fchown(made, *owner)


def _forbid_changes(folder: int) -> None:
    """Take from everybody the right to change what is in a folder; who may read it is as its owner before."""
    for _, _, names, here in os.fwalk(".", dir_fd=folder, topdown=False):
        for name in (*names, "."):
            _forbid_changing(name, here)


def _forbid_changing(name: str, folder: int) -> None:
    # By a descriptor: what was no link a moment ago may be one now.
    entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = os.fstat(entry).st_mode
        if not stat.S_ISLNK(mode):
            readable = (mode & 0o500) >> 6
            os.chmod(f"/proc/self/fd/{entry}", mode & 0o555 | readable << 3 | readable)
    finally:
        os.close(entry)
