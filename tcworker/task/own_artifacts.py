"""What the worker itself publishes of a run: its log, and the verdict beside it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tcworker.config import Config
from tcworker.task.context import IRunContext
from tcworker.task.log import TaskLog
from tcworker.task.log_names import LogNames
from tcworker.task.log_publication import LogPublication
from tcworker.task.verdict import Verdict
from tcworker.task.verdict_file import VerdictFile


class OwnArtifacts:
    """Those of one run.

    @ivar log: on its way to its place.
    @ivar verdict: the same.
    @param failed: told of what of the log could not be published.
    """

    def __init__(self, context: IRunContext, config: Config, log: TaskLog, failed: Callable[[Failure], None]) -> None:
        self.log = LogPublication(context, log, failed)
        self.verdict = VerdictFile(context, config, log)

    @property
    def owed(self) -> bool:
        """Whether some of it is not where it belongs, and may be if it is tried again."""
        return self.log.owed or self.verdict.owed

    def name(self, names: LogNames) -> None:
        """Publish them under these names; nobody else can have them then."""
        self.log.name_log(names)
        self.verdict.put_beside(names)

    def explain(self, verdict: Verdict) -> None:
        """This is why the run ends."""
        self.log.explain(verdict.why)
        self.verdict.explain(verdict)

    def publish(self) -> Deferred[None]:
        """Seal the log, and publish it with its link and the verdict; if that is cancelled, it is still to be done."""
        return Deferred.fromCoroutine(self.verdict.publish_beside(self.log.publish()))
