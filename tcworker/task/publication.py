"""What of one run leaves the machine: what its task made."""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from tcworker.errors import WorkerShutdown
from tcworker.feature.registry import RunFeatures
from tcworker.interfaces import IResult, ITaskContext


class Publication:
    """Publishes the artifacts of one run, once.

    @ivar features: those that publish artifacts; none until the payload has been read.
    @param failed: told of what could not be published.
    """

    def __init__(self, context: ITaskContext, failed: Callable[[Failure], None]) -> None:
        self._context = context
        self._failed = failed
        self.features = RunFeatures(context, {}, {})
        self._only_log = False
        self._uploads: Deferred[None] | None = None
        self._cut_at = math.inf
        self._cut: IDelayedCall | None = None

    def hurry(self, seconds: float) -> None:
        """The worker must be gone so soon: artifacts get half of that, log and report the rest."""
        self._cut_at = min(self._cut_at, self._context.clock.seconds() + seconds / 2)
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
        if self._cut is not None and self._cut.active():
            self._cut.cancel()
        if self._uploads is not None and self._cut_at < math.inf:
            clock = self._context.clock
            self._cut = clock.callLater(max(0.0, self._cut_at - clock.seconds()), self._cut_uploads)

    def _cut_uploads(self) -> None:
        # A run that is otherwise completed is worth another try, by a worker that has the time.
        self._failed(Failure(WorkerShutdown("the worker must go before all artifacts are published")))
        self.only_log()
