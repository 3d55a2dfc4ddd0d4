"""A cache in somebody's hands, whatever becomes of letting go of it."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.held import HeldCache
from tcworker.testing.caches import MemoryHome
from tcworker.waiting import Loose


class LettingGo(SynchronousTestCase):
    def hold(self, error: Exception | None = None) -> HeldCache:
        async def let_go(*why: Any) -> None:
            self.let_go.append(why)
            if error is not None:
                raise error

        self.let_go: list[Any] = []
        folder = self.successResultOf(MemoryHome().new("checkouts"))
        return HeldCache(folder, True, None, let_go, let_go, Loose(Logger()))

    def test_nobody_waits_for_ever_when_it_fails(self) -> None:
        for let_go in (HeldCache.give_back, lambda held: held.drop("the task was killed")):
            self.successResultOf(let_go(self.hold(OSError("disk full"))))
            self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_once(self) -> None:
        held = self.hold()
        for letting_go in (held.drop("the task was killed"), held.give_back(), held.drop("again")):
            self.successResultOf(letting_go)
        self.assertEqual(self.let_go, [("the task was killed",)])
