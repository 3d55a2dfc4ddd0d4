from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from examples.plugins.flag import LOOK_EVERY, FlagFileHost
from tcworker.interfaces import Notice

NAME = "examples.plugins.flag.FlagFileHost"


class FlagFileHostTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.flag = Path(self.mktemp())
        self.host = FlagFileHost(self.clock, {"extensions": {NAME: {"file": str(self.flag)}}})
        self.notices: list[Notice] = []
        self.host.on_shutting_down(self.notices.append)
        self.host.startService()
        self.addCleanup(self.host.stopService)

    def test_stays_while_there_is_no_file(self) -> None:
        self.clock.pump([LOOK_EVERY] * 3)
        self.assertEqual(self.notices, [])
        self.assertFalse(self.successResultOf(self.host.should_shut_down_now(60)))

    def test_leaves_when_the_file_appears(self) -> None:
        self.flag.write_text("")
        self.clock.advance(LOOK_EVERY)
        self.assertEqual(self.notices, [Notice(True, None, f"{self.flag} is there")])
        self.assertTrue(self.successResultOf(self.host.should_shut_down_now(0)))

    def test_leaves_in_the_time_that_the_file_says(self) -> None:
        self.flag.write_text("30\n")
        self.clock.advance(LOOK_EVERY)
        self.assertEqual((self.notices[0].graceful, self.notices[0].seconds_left), (False, 30.0))

    def test_says_it_once(self) -> None:
        self.flag.write_text("")
        self.clock.pump([LOOK_EVERY] * 3)
        self.assertEqual(len(self.notices), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tells_those_who_ask_later(self) -> None:
        self.flag.write_text("")
        self.clock.advance(LOOK_EVERY)
        late: list[Notice] = []
        self.host.on_shutting_down(late.append)
        self.assertEqual(late, self.notices)

    def test_tells_nobody_who_has_gone(self) -> None:
        gone: list[Notice] = []
        leave = self.host.on_shutting_down(gone.append)
        leave()
        leave()
        self.flag.write_text("")
        self.clock.advance(LOOK_EVERY)
        self.assertEqual(gone, [])
