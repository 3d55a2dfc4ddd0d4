"""A machine whose clock may be set, that may sleep, and a server that has the right time."""

from __future__ import annotations

from email.utils import formatdate

from twisted.internet.task import Clock

from tcworker.client.server_time import ServerTime


class Machine:
    """Where a reactor runs by a wall clock.

    @ivar clock: the reactor's.
    @ivar true: the server's seconds.
    @ivar time: what this machine knows of them; nothing until L{hear}.
    """

    def __init__(self, wrong: float = 0.0) -> None:
        self.true, self.steady = 1_900_000_000.0, 50.0
        self.clock = Clock()
        self.clock.rightNow = self.true + wrong
        self.time = ServerTime(self.clock.seconds, lambda: self.steady)

    def go(self, seconds: float, step: float = 1.0) -> None:
        """Time passes for all."""
        while seconds > 0:
            passed = min(step, seconds)
            self.true += passed
            self.steady += passed
            seconds -= passed
            self.clock.advance(passed)

    def set_clock(self, jump: float) -> None:
        """Somebody sets the clock of this machine; the reactor looks at it."""
        self.clock.rightNow += jump
        self.clock.advance(0)

    def sleep(self, seconds: float) -> None:
        """The lid is closed for so long: all clocks go on, but nothing is done."""
        self.true += seconds
        self.steady += seconds
        self.clock.rightNow += seconds

    def stand_still(self, seconds: float) -> None:
        """So does a virtual machine whose clocks do not know."""
        self.true += seconds

    def hear(self) -> None:
        """The server answers something."""
        self.time.heard(formatdate(self.true, usegmt=True), self.steady)
