"""Users are made and removed while others change the users of the machine."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native import useradd
from tcworker.engine.native.useradd import CannotChangeUsers, NumberTaken, set_password

LOCKED = "cannot lock /etc/passwd; try again later."


class FakeTime:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeHelpers:
    """Programs that find the users changed by somebody else, for some time.

    @ivar status: what they end with then.
    """

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.status, self.free_at = 1, 0.0

    def run(self, command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
        """See L{Helpers.run}."""
        free = self._time.now >= self.free_at
        return subprocess.CompletedProcess(command, 0 if free else self.status, stderr=LOCKED)


class WhileTheyAreLocked(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = FakeTime()
        self.patch(useradd, "time", self.time)
        self.helpers = FakeHelpers(self.time)

    def test_it_is_tried_again_soon_and_often(self) -> None:
        self.helpers.free_at = 45
        set_password(self.helpers, "somebody", "secret")
        self.assertLess(self.time.now, 46)
        self.assertLessEqual(max(self.time.slept), 0.5)

    def test_whichever_file_it_is(self) -> None:
        # Of passwd, group, subuid and subgid: the last two stay locked where a program was killed in its last moment.
        for status in (1, 10, 16, 18):
            self.time.now, self.helpers.status = 0, status
            self.helpers.free_at = 45
            set_password(self.helpers, "somebody", "secret")
            self.assertGreaterEqual(self.time.now, 45, status)

    def test_but_not_for_ever(self) -> None:
        self.helpers.free_at = 1000
        with self.assertRaises(CannotChangeUsers) as raised:
            set_password(self.helpers, "somebody", "secret")
        self.assertEqual(str(raised.exception), f"chpasswd: {LOCKED}")
        self.assertLess(self.time.now, 61)

    def test_what_others_do_not_cause_is_told_at_once(self) -> None:
        self.helpers.free_at, self.helpers.status = 1000, 9
        self.assertRaises(NumberTaken, set_password, self.helpers, "somebody", "secret")
        self.assertEqual(self.time.slept, [])
