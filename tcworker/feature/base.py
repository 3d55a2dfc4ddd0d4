"""A feature at work that does nothing: what a feature's own class begins with."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from tcworker.interfaces import IEngine, IExecution, IResult, ITaskFeature


@implementer(ITaskFeature)
class TaskFeature:
    """All five hooks, each of which does nothing; override those that matter."""

    def load(self, engine: IEngine) -> Deferred[None]:
        """See L{ITaskFeature.load}."""
        return succeed(None)

    def started(self, execution: IExecution) -> Deferred[None]:
        """See L{ITaskFeature.started}."""
        return succeed(None)

    def stopped(self, result: IResult) -> Deferred[None]:
        """See L{ITaskFeature.stopped}."""
        return succeed(None)

    def upload(self, result: IResult) -> Deferred[None]:
        """See L{ITaskFeature.upload}."""
        return succeed(None)

    def cleanup(self) -> Deferred[None]:
        """See L{ITaskFeature.cleanup}."""
        return succeed(None)
