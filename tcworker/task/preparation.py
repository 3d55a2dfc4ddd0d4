"""What a run is made of, as its task wants it: found before anything of the task happens."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tcworker.feature.registry import RunFeatures
from tcworker.interfaces import IEngine, IPlatform
from tcworker.task.context import IRunContext
from tcworker.task.definition import check_definition
from tcworker.task.facilities import Facilities
from tcworker.task.frame_lines import opening_lines
from tcworker.task.log import TaskLog
from tcworker.task.log_names import LogNames
from tcworker.task.outcome import Attempts
from tcworker.task.own_artifacts import OwnArtifacts


class Preparation:
    """Of one run.

    @param own: are named as the payload wants them.
    """

    def __init__(self, context: IRunContext, facilities: Facilities, log: TaskLog, own: OwnArtifacts) -> None:
        self._context = context
        self._facilities = facilities
        self._log = log
        self._own = own
        self._judging: Deferred[IPlatform] | None = None

    async def parts(self) -> tuple[IEngine, RunFeatures]:
        """Give what runs it. Raises L{MalformedPayload} that says all that is wrong."""
        opening_lines(self._context, self._facilities.config)
        check_definition(self._context.task)
        return self._made(await self._judge())

    def stop(self) -> None:
        """Find nothing more, for the run is over."""
        if self._judging is not None:
            self._judging.cancel()

    def _judge(self) -> Deferred[IPlatform]:
        """Find who runs the payload. Fails with L{MalformedPayload}."""
        payload, facilities = self._context.task.get("payload"), self._facilities
        judging = facilities.acceptance.platform_for(payload, self._log, facilities.threads)
        self._judging = Deferred.fromCoroutine(judging)
        return self._judging

    def _made(self, platform: IPlatform) -> tuple[IEngine, RunFeatures]:
        context = self._context
        context.run_on(platform)
        attempts = Attempts()
        # Before features reserve names: where one cannot have a name it may do without, but a task needs its log.
        self._own.name(attempts.make(lambda: LogNames.from_payload(context.payload)) or LogNames())
        features = attempts.make(lambda: self._facilities.features.for_task(context))
        engine = attempts.make(lambda: platform.new_engine(context))
        attempts.check()
        assert features is not None and engine is not None
        return engine, features
