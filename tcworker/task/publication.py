"""What of one run leaves the machine: what its task made."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from tcworker.errors import TooLate
from tcworker.feature.registry import RunFeatures
from tcworker.interfaces import IResult, ITaskContext
from tcworker.task.haste import Haste

_MOMENT = 0.05
"""Seconds before the time of artifacts is over."""


class Publication:
    """Publishes the artifacts of one run, once.

    @ivar features: those that publish artifacts; none until the payload has been read.
    @param haste: how much time they have.
    @param failed: told of what could not be published.
    """

    def __init__(self, context: ITaskContext, haste: Haste, failed: Callable[[Failure], None]) -> None:
        self._context = context
        self._haste = haste
        self._failed = failed
        self.features = RunFeatures(context, {}, {})
        self._only_log = False
        self._uploads: Deferred[None] | None = None
        self._timers: list[IDelayedCall] = []

    def hurry(self, seconds: float) -> None:
        """All that is still to be published must be in so many seconds."""
        self._haste.begin(seconds)
        self._limit_uploads()

    def report_first(self) -> None:
        """Log and report wait for artifacts no more: these have all the time that there is."""
        self._haste.report_first()
        self._limit_uploads()

    def only_log(self) -> None:
        """Publish no artifacts from now on."""
        self._only_log = True
        if self._uploads is not None:
            self._uploads.cancel()

    async def artifacts(self, result: IResult | None) -> None:
        """Publish what the task made, if there is a result."""
        if result is None or self._only_log:
            return
        self._uploads = self.features.upload(result).addErrback(self._failed)
        self._limit_uploads()
        try:
            await self._uploads
        finally:
            self._uploads = None
            self._limit_uploads()

    def _limit_uploads(self) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self._timers = []
        if self._uploads is not None and self._haste.begun:
            later = self._context.clock.callLater
            # Whatever is in the middle of its upload then may still come to its end, if the queue is told at once.
            self._timers = [
                later(max(0.0, self._haste.files_left() - _MOMENT), self._too_late),
                later(self._haste.errors_left(), self.only_log),
            ]

    def _too_late(self) -> None:
        # A run that is otherwise completed is worth another try, by a worker that has the time.
        self._failed(Failure(TooLate("the worker must go before all artifacts are published")))
