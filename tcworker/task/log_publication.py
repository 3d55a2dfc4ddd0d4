"""A run's log leaves the machine: what there is of it now and then, at the run's end all of it, and what leads there.

Until the link is there that leads to the whole log, and unless somebody shows the log as it grows, the live log's name
is a reference to the newest checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.python.failure import Failure

from tcworker.errors import TaskError
from tcworker.interfaces import GzippedArtifact, LinkArtifact, Publish, ReferenceArtifact
from tcworker.task.checkpoints import Checkpoints
from tcworker.task.context import IRunContext
from tcworker.task.log import TaskLog
from tcworker.task.log_compression import GzippedLog
from tcworker.task.log_names import LogNames
from tcworker.task.outcome import may_come
from tcworker.task.patience import last_try
from tcworker.worker_log import RunLogger

LOG_TYPE = "text/plain; charset=utf-8"

_UNFINISHED = "was in the middle of its upload when this log was published; unless that ends, there is no content"


class LogPublication:
    """Publishes the log of one run, once.

    @ivar owed: whether some of it is not where it belongs, and may be if it is tried again.
    @param failed: told of what could not be published.
    """

    def __init__(self, context: IRunContext, log: TaskLog, failed: Callable[[Failure], None]) -> None:
        self._context = context
        self._log = log
        self._failed = failed
        self._names = LogNames()
        self._publish_backing: Publish = context.publish
        self._publish_live: Publish = context.publish
        self._why: str | None = None
        self.owed = False
        self._logger = RunLogger(context.name)
        self._checkpoints = Checkpoints(
            context.clock,
            self._logger,
            take=log.snapshot,
            first=log.note_checkpoint,
            publish=self._publish_checkpoint,
            refer=self._refer,
        )
        log.on_late_secret(self._checkpoints.late_secret)

    def name_log(self, names: LogNames) -> None:
        """Publish the log under these names; nobody else can have them then. Without this it has the usual ones."""
        self._publish_backing, self._publish_live = map(self._context.reserve, (names.backing, names.live))
        if names.checkpoint is not None:
            self._context.reserve(names.checkpoint)
        self._names = names
        self._log.name(names)

    def keep_up(self) -> None:
        """From now on publish what there is of the log, now and then, until all of it is published."""
        if self._names.checkpoint is not None:
            self._checkpoints.begin()

    def replace_checkpoint(self) -> None:
        """Publish the whole log in the place of what a worker that died has published of it, too."""
        if self._names.checkpoint is not None:
            self._checkpoints.owe()

    def leave_backing(self) -> None:
        """The whole log is where it belongs: publish what leads to it, and no more."""
        self._publish_backing = lambda _: succeed(None)

    def close(self) -> Deferred[None]:
        """Fire when nothing of it is on its way any more; before the log is disposed."""
        return Deferred.fromCoroutine(self._checkpoints.close(self._context.time_left()))

    def drop(self) -> Deferred[None]:
        """End what is on its way; fires when nothing is. Before the log is disposed."""
        return Deferred.fromCoroutine(self._checkpoints.close(0))

    def explain(self, why: str) -> None:
        """Say in the log's last lines why the run ends."""
        self._why = why

    async def publish(self) -> None:
        """Seal the log, and publish it with its link; if that is cancelled, the log is still to be published."""
        self._checkpoints.stop()
        for name, error in self._context.unfinished().items():
            why = f"; {last_try(error)}" if error else ""
            self._log.warn(f"artifact {name} {_UNFINISHED}{why}")
        if self._why is not None:
            self._log.end_with(self._why)
        try:
            await self._sealed_log()
        except CancelledError:
            raise
        except Exception:
            self._not_published(Failure())

    async def _sealed_log(self) -> None:
        sealed = await self._log.seal()
        names = self._names
        if not names.published:
            return
        # Side by side: the queue takes a link to what is not there yet, and one call less to wait for shows.
        replaced = Deferred.fromCoroutine(self._checkpoints.finish(sealed))
        backing = self._publish_backing(self._artifact(names.backing, sealed)).addCallback(self._published)
        # All to their ends: a log on its way would lose its file to the cleanup.
        ends = await DeferredList([backing, self._publish_live(self._link()), replaced], consumeErrors=True)
        for _, outcome in ends:
            # A list does not fail when it is cancelled.
            if isinstance(outcome, Failure) and outcome.check(CancelledError):
                outcome.raiseException()
        if not ends[0][0]:
            # Of an object that was declared and whose answer got lost there never is anything: there may be this.
            self.replace_checkpoint()
            await self._checkpoints.finish(sealed)
        for _, outcome in ends:
            if isinstance(outcome, Failure):
                self._not_published(outcome)

    def _not_published(self, failure: Failure) -> None:
        self.owed |= may_come(failure)
        self._failed(failure)

    def _published(self, _: None) -> None:
        self._log.published()

    def _artifact(self, name: str, log: GzippedLog) -> GzippedArtifact:
        return GzippedArtifact(name, self._context.expires, log.file, LOG_TYPE, log.length)

    def _link(self) -> LinkArtifact:
        return LinkArtifact(self._names.live, self._context.expires, self._names.backing, LOG_TYPE)

    def _publish_checkpoint(self, log: GzippedLog) -> Deferred[None]:
        assert self._names.checkpoint is not None
        return self._context.republish(self._artifact(self._names.checkpoint, log))

    async def _refer(self) -> None:
        context, name = self._context, self._names.checkpoint
        assert name is not None
        if context.is_held(self._names.live):
            return
        url = f"{context.root_url}/api/queue/v1/task/{context.task_id}/runs/{context.run_id}/artifacts/{quote(name)}"
        try:
            await self._publish_live(ReferenceArtifact(self._names.live, context.expires, url, LOG_TYPE))
        except TaskError as error:
            self._logger.warn("nothing leads to what there is of the log: {error}", error=str(error))
