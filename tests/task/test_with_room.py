"""Work that meets full disks."""

from __future__ import annotations

import errno

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import Cause, ResourceUnavailable
from tcworker.interfaces import RoomMade
from tcworker.task.with_room import TRIES, WAITS, with_room
from tcworker.testing.caches import FakeCaches, FakeCacheWorker


class WithRoom(SynchronousTestCase):
    def setUp(self) -> None:
        self.caches = FakeCaches(FakeCacheWorker(Clock()))
        self.problems: list[Exception] = []
        self.tried = 0

    def doing(self) -> Deferred[str]:
        """Do something that first fails with each of the problems."""
        return Deferred.fromCoroutine(with_room(self.caches.make_room, self.work))

    async def work(self) -> str:
        self.tried += 1
        if self.problems:
            raise self.problems.pop(0)
        return "done"

    def test_it_is_done_again(self) -> None:
        self.caches.room = RoomMade.SOME
        self.problems = [OSError(errno.ENOSPC, "full"), ResourceUnavailable("full", cause=Cause.NO_DISK)]
        self.assertEqual((self.successResultOf(self.doing()), self.tried), ("done", 3))

    def test_who_makes_room_is_told_which_disk_is_full(self) -> None:
        """Caches of another one would go for nothing."""
        self.caches.room = RoomMade.SOME
        self.problems = [
            OSError(errno.ENOSPC, "full", "/tasks/file"),
            ResourceUnavailable.no_disk("full", "/caches/c", OSError(errno.ENOSPC, "full")),
            OSError(errno.ENOSPC, "full"),
        ]
        self.assertEqual(self.successResultOf(self.doing()), "done")
        self.assertEqual(self.caches.full, ["/tasks/file", "/caches/c", None])

    def test_not_when_nothing_makes_way(self) -> None:
        self.problems = [OSError(errno.ENOSPC, "full")]
        self.failureResultOf(self.doing(), OSError)
        self.assertEqual(self.tried, 1)

    def test_not_before_room_is_made(self) -> None:
        """Which may take its time; but something hangs, maybe."""
        self.answers = [*[RoomMade.NOT_YET] * (WAITS - 1), RoomMade.SOME]
        self.patch(self.caches, "make_room", lambda full: succeed(self.answers.pop(0)))
        self.problems = [OSError(errno.ENOSPC, "full")]
        self.assertEqual(self.successResultOf(self.doing()), "done")
        self.problems = [OSError(errno.ENOSPC, "full")]
        self.answers = [RoomMade.NOT_YET] * WAITS
        self.assertEqual((self.successResultOf(self.doing()), self.answers), ("done", []))

    def test_not_for_ever(self) -> None:
        self.caches.room = RoomMade.SOME
        self.problems = [OSError(errno.EDQUOT, "full")] * (TRIES + 1)
        self.failureResultOf(self.doing(), OSError)
        self.assertEqual(self.tried, TRIES)

    def test_not_for_what_no_room_would_mend(self) -> None:
        self.caches.room = RoomMade.SOME
        self.problems = [OSError(errno.EIO, "broken")]
        self.failureResultOf(self.doing(), OSError)
        self.assertEqual(self.tried, 1)
