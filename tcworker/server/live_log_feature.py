"""Publishes where the log of a run can be read while it grows, in the place of which the worker publishes a link."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.errors import TaskclusterError, TaskError
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IEngine, IFeature, IResult, ITaskContext, ITaskFeature, ReferenceArtifact
from tcworker.server.live_log_resource import HEADERS, LiveLogs
from tcworker.task.log_names import LIVE_LOG, LogNames
from tcworker.waiting import Loose, now

UPLOADS_LAST = 900
"""Seconds after a task's longest time in which its log may still grow (contracts of generic-worker, 3)."""

_log = Logger()


@implementer(IFeature)
class LiveLogFeature:
    """Gives each run's live log an address here, from the start of its sandbox to the end of the run.

    @param root_url: of the server that serves the logs.
    @ivar enabled: whether any run has one.
    """

    name = "live-log"
    schema: Mapping[str, Any] = {"properties": {}, "required": []}
    after = ()

    def __init__(self, logs: LiveLogs, root_url: str) -> None:
        self._logs = logs
        self._root_url = root_url
        self.enabled = True

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        wanted = self.enabled and LIVE_LOG.is_set(context.payload)
        return _LiveLog(context, self._logs, self._root_url) if wanted else None


class _LiveLog(TaskFeature):
    def __init__(self, context: ITaskContext, logs: LiveLogs, root_url: str) -> None:
        self._context = context
        self._logs = logs
        self._root_url = root_url
        self._path = ""
        self._publishing = Loose(_log)

    def load(self, engine: IEngine) -> Deferred[None]:
        self._path = self._logs.open(self._context.log.follow)
        # Beside the task: that its log can be read now is worth no delay, and no failure.
        self._publishing.run(self._publish(), f"publishing the address of the log of {self._context.name}")
        return super().load(engine)

    def upload(self, result: IResult) -> Deferred[None]:
        # The name is about to be a link, which never becomes an address again.
        return self._publishing.cancel()

    def cleanup(self) -> Deferred[None]:
        self._logs.close(self._path)
        return self._publishing.cancel()

    @property
    def _expires(self) -> datetime:
        """Not long after the address is gone: no link takes its place if the task wants no log to be published."""
        seconds = self._context.payload.get("maxRunTime", 0) + UPLOADS_LAST
        return min(self._context.expires, now(self._context.clock) + timedelta(seconds=seconds))

    async def _publish(self) -> None:
        names = LogNames.from_payload(self._context.payload)
        address = self._root_url + self._path
        artifact = ReferenceArtifact(names.live, self._expires, address, HEADERS["Content-Type"])
        try:
            await self._context.publish(artifact)
        except (TaskError, TaskclusterError) as error:
            _log.warn("its log cannot be read while it grows: {error}", error=str(error), run=self._context.name)
