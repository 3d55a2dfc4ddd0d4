"""What of one run leaves the machine: what its task made, and its log."""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from tcworker.errors import WorkerShutdown
from tcworker.feature.registry import RunFeatures
from tcworker.interfaces import GzippedArtifact, IResult, ITaskContext, LinkArtifact, Publish
from tcworker.task.log import TaskLog
from tcworker.task.log_names import LogNames

LOG_TYPE = "text/plain; charset=utf-8"


class Publication:
    """Publishes artifacts and log, each once.

    @ivar features: those that publish artifacts; none until the payload has been read.
    @param failed: told of what could not be published.
    """

    def __init__(self, context: ITaskContext, log: TaskLog, failed: Callable[[Failure], None]) -> None:
        self._context = context
        self._log = log
        self._failed = failed
        self._names = LogNames()
        self._publish_backing: Publish = context.publish
        self._publish_live: Publish = context.publish
        self.features = RunFeatures(context, {}, {})
        self._why: str | None = None
        self._only_log = False
        self._uploads: Deferred[None] | None = None
        self._cut_at = math.inf
        self._cut: IDelayedCall | None = None

    def name_log(self, names: LogNames) -> None:
        """Publish the log under these names; nobody else can have them then. Without this it has the usual ones."""
        self._publish_backing, self._publish_live = map(self._context.reserve, (names.backing, names.live))
        self._names = names

    def explain(self, why: str) -> None:
        """Say in the log's last lines why the run ends."""
        self._why = why

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

    async def log(self) -> None:
        """Seal the log, and publish it with its link."""
        if self._why is not None:
            self._log.end_with(self._why)
        try:
            await self._sealed_log()
        except Exception:
            self._failed(Failure())

    async def _sealed_log(self) -> None:
        sealed = await self._log.seal()
        names, expires = self._names, self._context.expires
        if not names.published:
            return
        backing = GzippedArtifact(names.backing, expires, sealed.file, LOG_TYPE, sealed.length)
        live = LinkArtifact(names.live, expires, names.backing, LOG_TYPE)
        # Side by side: the queue takes a link to what is not there yet, and one call less to wait for shows.
        both = [self._publish_backing(backing), self._publish_live(live)]
        # Both to their ends: a log on its way would lose its file to the cleanup.
        for _, outcome in await DeferredList(both, consumeErrors=True):
            if isinstance(outcome, Failure):
                self._failed(outcome)
