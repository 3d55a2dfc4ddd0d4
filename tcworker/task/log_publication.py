"""A run's log leaves the machine: the whole of it at the run's end, and the link that leads there."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import DeferredList
from twisted.python.failure import Failure

from tcworker.interfaces import GzippedArtifact, ITaskContext, LinkArtifact, Publish
from tcworker.task.log import TaskLog
from tcworker.task.log_names import LogNames

LOG_TYPE = "text/plain; charset=utf-8"


class LogPublication:
    """Publishes the log of one run, once.

    @param failed: told of what could not be published.
    """

    def __init__(self, context: ITaskContext, log: TaskLog, failed: Callable[[Failure], None]) -> None:
        self._context = context
        self._log = log
        self._failed = failed
        self._names = LogNames()
        self._publish_backing: Publish = context.publish
        self._publish_live: Publish = context.publish
        self._why: str | None = None

    def name_log(self, names: LogNames) -> None:
        """Publish the log under these names; nobody else can have them then. Without this it has the usual ones."""
        self._publish_backing, self._publish_live = map(self._context.reserve, (names.backing, names.live))
        self._names = names

    def explain(self, why: str) -> None:
        """Say in the log's last lines why the run ends."""
        self._why = why

    async def publish(self) -> None:
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
