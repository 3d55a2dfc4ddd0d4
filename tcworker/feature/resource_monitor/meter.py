"""Measures one sandbox while it runs."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from tcworker.errors import FeatureNotSupported, SandboxEnded
from tcworker.feature.resource_monitor.series import FIRST_WIDTH, Series
from tcworker.interfaces import IExecution, Usage
from tcworker.worker_log import RunLogger

LONGEST_PAUSE = 10.0
"""Seconds between two measures of a run that has run for long, or whose measures take long."""

_SHARE = 20
"""Thousands of processes take long to ask: so many times longer nobody asks them again."""


class RunMeter:
    """Asks the sandbox of a run now and then what it uses; a question at a time.

    It asks nothing before there is one, and nothing once that is over or cannot tell.

    @ivar series: what came of it so far.
    @ivar memory: bytes in use when last measured, C{None} before the first measure.
    """

    def __init__(self, clock: IReactorTime, log: RunLogger) -> None:
        self._clock = clock
        self._log = log
        self._execution: IExecution | None = None
        self._asked: Deferred[Usage] | None = None
        self._timer: IDelayedCall | None = None
        self._asked_at = self._took = 0.0
        self.series = Series(clock.seconds())
        self.memory: int | None = None

    def begin(self, execution: IExecution) -> None:
        """The sandbox runs: from now on it can be measured."""
        self._execution = execution
        self.series = Series(self._clock.seconds())

    def go_on(self) -> None:
        """Measure by itself from now on, the first time after a moment: short tasks are not to wait for it."""
        self._timer = self._clock.callLater(FIRST_WIDTH, self._due)

    def stop(self) -> None:
        """The sandbox is over; repeatable."""
        self._end()
        if self._asked is not None:
            self._asked.cancel()

    def measure(self) -> None:
        """Measure now, unless a measure is on its way."""
        if self._execution is None or self._asked is not None:
            return
        self._asked_at = self._clock.seconds()
        self._asked = maybeDeferred(self._execution.measure)
        self._asked.addCallback(self._measured).addErrback(self._failed)

    def _due(self) -> None:
        pause = max(self.series.width, self._took * _SHARE)
        self._timer = self._clock.callLater(min(pause, LONGEST_PAUSE), self._due)
        self.measure()

    def _measured(self, usage: Usage) -> None:
        self._asked = None
        now = self._clock.seconds()
        self._took = now - self._asked_at
        self.memory = usage.memory
        self.series.add(now, usage)

    def _failed(self, failure: Failure) -> None:
        self._asked = None
        self._end()
        # Its platform may not know, and it may just have ended: that is no news.
        if not failure.check(CancelledError, FeatureNotSupported, SandboxEnded):
            self._log.failure("its resource use cannot be measured", failure=failure)

    def _end(self) -> None:
        self._execution = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
