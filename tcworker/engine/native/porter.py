"""Has what is attached to a run put in its place and taken back, in threads, one thing after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger

from tcworker.engine.native.placement import Placement
from tcworker.interfaces import ICaches, RoomMade
from tcworker.task.with_room import with_room
from tcworker.waiting import OneShot, Threads

_log = Logger()

T = TypeVar("T")


class Porter:
    """Whatever was begun comes to its end before the next thing begins, though who asked for it may have gone.

    @param caches: make room where a disk is full.
    """

    def __init__(self, placement: Placement, threads: Threads, caches: ICaches) -> None:
        self._placement = placement
        self._threads = threads
        self._caches = caches
        self._last: OneShot[Any] = OneShot()
        self._last.succeed(None)
        self._taken: dict[str, OneShot[None]] = {}
        self._rooms: list[OneShot[RoomMade]] = []
        self._over = False

    async def place(self) -> Sequence[Mapping[str, Any]]:
        """See L{Placement.place}. Cancelled, it ends as soon as it can, and L{put_back} undoes what it did."""
        try:
            return await self._do(self._placement.place)
        except CancelledError:
            self._placement.stop()
            raise

    def keep(self) -> None:
        """The run has begun: what was copied for it is its alone. Nobody waits for that."""
        self._do(self._placement.keep).addErrback(partial(_log.failure, "keeping what was copied for a task"))

    def put_back(self) -> Deferred[None]:
        """See L{Placement.put_back}."""
        return self._do(self._placement.put_back)

    def take_back(self, path: str) -> Deferred[None]:
        """See L{Placement.take_back}; where a disk is full, room is made.

        Who asks again after a cancel waits for the same.
        """
        if path not in self._taken:
            self._taken[path] = OneShot()
            taking = with_room(self._make_room, lambda: self._do(self._placement.take_back, path))
            Deferred.fromCoroutine(taking).addBoth(self._taken[path].settle)
        # Who is told has it: what is asked for after that is no cache of the task's any more.
        return self._taken[path].wait().addCallback(lambda _: self._told(path))

    def end(self) -> Deferred[None]:
        """Let nothing of it be left in folders of the machine; a cache that is still being copied is lost."""
        self._over = True
        self._placement.stop()
        for room in self._rooms:
            room.succeed(RoomMade.NONE)
        return self._do(self._placement.remove_outside)

    def _told(self, path: str) -> None:
        self._taken.pop(path, None)

    def _make_room(self, full: str | None) -> Deferred[RoomMade]:
        if self._over:
            return succeed(RoomMade.NONE)
        # Each cache that is taken back may wait for some.
        room: OneShot[RoomMade] = OneShot()
        self._rooms.append(room)
        self._caches.make_room(full).addBoth(room.settle)
        return room.wait()

    def _do(self, work: Callable[..., T], *arguments: object) -> Deferred[T]:
        done: OneShot[T] = OneShot()
        before, self._last = self._last, done
        before.wait().addBoth(lambda _: self._threads.run(work, *arguments)).addBoth(done.settle)
        return done.wait()
