"""The verdict of a run that is under way, published beside its log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from tcworker.config import Config
from tcworker.errors import NamingConflict
from tcworker.interfaces import IResult, ITaskContext, Publish
from tcworker.task.log_names import LogNames
from tcworker.task.outcome import may_come
from tcworker.task.verdict import Verdict, command_evidence
from tcworker.task.verdict_document import verdict_artifact, verdict_name, write_verdict
from tcworker.waiting import now
from tcworker.worker_log import RunLogger

MOST_SECONDS = 120.0
"""A run whose log is there is not held up for longer: that says the same. An answer may get lost in that time, once."""


class VerdictLog(Protocol):
    """What a verdict needs of its run's log."""

    def hide(self, text: str, /) -> str:
        """Make of a text what may leave the machine."""

    def note_verdict(self, verdict: Verdict, time: datetime, /) -> None:
        """It is about to be published."""

    def verdict_published(self) -> None:
        """It is where it belongs."""


class VerdictFile:
    """The verdict of one run: published once, if the run is not completed.

    @ivar owed: whether it is not where it belongs, and may be if it is tried again.
    @param log: of the run.
    @param seconds: for which others wait for it once the log is there.
    """

    def __init__(
        self,
        context: ITaskContext,
        config: Config,
        log: VerdictLog,
        seconds: Callable[[], float] = lambda: MOST_SECONDS,
    ) -> None:
        self._context = context
        self._config = config
        self._log = log
        self._seconds = seconds
        self.owed = False
        self._logger = RunLogger(context.name)
        self._name = verdict_name(LogNames())
        self._publish: Publish | None = context.publish
        self._verdict: tuple[Verdict, datetime] | None = None
        self._result: IResult | None = None

    def put_beside(self, names: LogNames) -> None:
        """Publish it beside the log; nobody else can have its name then. Without this the log has its usual names."""
        self._name = verdict_name(names)
        try:
            self._publish = self._context.reserve(self._name) if names.published else None
        except NamingConflict:
            # A log of the task has it, and is worth more.
            self._publish = None

    def explain(self, verdict: Verdict, time: datetime | None = None) -> None:
        """This is why the run ends; the last one before it is published counts.

        @param time: when that was decided; now without it.
        """
        self._verdict = verdict, time or now(self._context.clock)

    def saw(self, result: IResult | None) -> None:
        """This is what came of the task, and part of the evidence."""
        self._result = result

    def publish(self) -> Deferred[None]:
        """Publish it if there is a verdict; fires in any case, and soon. Repeatable: then the first one stays."""
        return self._in_time(self._begin())

    async def publish_beside(self, log: Awaitable[None]) -> None:
        """Publish it while the log is published, and return when both are done: whoever waits for the log waits for it.

        @param log: publishes that; may explain another verdict, and fails only when it is cancelled.
        """
        publishing = self._begin()
        try:
            await log
        except BaseException:
            publishing.addErrback(lambda _: None).cancel()
            raise
        await self._in_time(publishing)
        # What is wrong with the log itself is known only now.
        await self.publish()

    def _begin(self) -> Deferred[None]:
        if self._verdict is None or self._publish is None:
            return succeed(None)
        publish, self._publish = self._publish, None
        return maybeDeferred(self._send, publish, *self._verdict).addCallback(lambda _: self._log.verdict_published())

    def _in_time(self, publishing: Deferred[None]) -> Deferred[None]:
        return publishing.addTimeout(self._seconds(), self._context.clock).addErrback(self._not_published)

    def _send(self, publish: Publish, verdict: Verdict, time: datetime) -> Deferred[None]:
        context = self._context
        whole = replace(verdict, evidence={**command_evidence(self._result), **verdict.evidence})
        self._log.note_verdict(whole, time)
        content = write_verdict(context.task_id, context.run_id, self._config, whole, time, self._log.hide)
        return publish(verdict_artifact(self._name, context.expires, content))

    def _not_published(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            failure.raiseException()
        self.owed = may_come(failure)
        self._logger.warn("its verdict was not published: {why}", why=failure.getErrorMessage())
