"""What features begin with: one at work that does nothing, and words for what a pool or a task does without."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from tcworker.errors import MalformedPayload
from tcworker.interfaces import IEngine, IExecution, IResult, ITaskContext, ITaskFeature, ITaskLog, ScopeExpression


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


class WhileItRuns(TaskFeature):
    """A feature that has something to do until the sandbox is over."""

    def over(self) -> None:
        """The sandbox is over, or will never be; repeatable."""

    def stopped(self, result: IResult) -> Deferred[None]:
        """See L{ITaskFeature.stopped}."""
        self.over()
        return succeed(None)

    def cleanup(self) -> Deferred[None]:
        """See L{ITaskFeature.cleanup}."""
        # An aborted sandbox has no result, and so no "stopped".
        self.over()
        return succeed(None)


async def require_scopes(context: ITaskContext, place: str, *alternatives: ScopeExpression) -> None:
    """See L{ITaskContext.require_scopes}; C{place}: what of the payload needs them."""
    try:
        await context.require_scopes(*alternatives)
    except MalformedPayload as error:
        first, *more = error.messages
        raise MalformedPayload(f"{place}: {first}", *more) from error


def switched_off(place: str, pool: str, setting: str) -> MalformedPayload:
    """The error for a task that asks by itself for what its pool has switched off.

    @param place: of the property in the payload.
    @param setting: the key of the configuration.
    """
    why = f"workers of {pool} have switched this off ({setting}: false)"
    return MalformedPayload(f"{place}: {why}; leave it out, or ask the owner of the worker pool")


class PrefixedLog:
    """A task's log for a feature, with its name in front of each line (contracts of generic-worker, 2)."""

    def __init__(self, log: ITaskLog, name: str) -> None:
        self._log = log
        self._prefix = f"[{name}] "

    def info(self, message: str) -> None:
        """See L{ITaskLog.info}."""
        self._log.info("\n".join(f"{self._prefix}{line}" for line in message.rstrip("\n").split("\n")))
