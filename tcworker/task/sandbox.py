"""One run's sandbox and the hooks around it: loading, running, stopped; or discarded, killed, aborted on the way."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from tcworker.errors import Discarded, SandboxAborted, SandboxEnded
from tcworker.feature.registry import RunFeatures
from tcworker.interfaces import IEngine, IExecution, IResult, Reach, SandboxRecord
from tcworker.task.machine import RunInputs
from tcworker.waiting import Loose
from tcworker.worker_log import RunLogger


class Sandbox:
    """Drives an engine through its phases, and tells the run's machine.

    @param failed: told of every failure, which it turns into the machine's input.
    @param recorded: given what another process needs to find the sandbox, once it runs.
    """

    def __init__(
        self,
        engine: IEngine,
        features: RunFeatures,
        machine: RunInputs,
        *,
        failed: Callable[[Failure], None],
        recorded: Callable[[SandboxRecord], None],
        log: RunLogger,
    ) -> None:
        self._engine = engine
        self._features = features
        self._machine = machine
        self._failed = failed
        self._recorded = recorded
        self._loose = Loose(log)
        self._execution: IExecution | None = None
        self._result: IResult | None = None
        self._loading: Deferred[IExecution] | None = None
        self._stopping: Deferred[None] | None = None

    @property
    def reach(self) -> Reach:
        """What its task can reach of another one."""
        reach: Reach = self._engine.reach
        return reach

    @property
    def over(self) -> bool:
        """Whether its task has ended, with a result."""
        return self._result is not None

    def load(self) -> None:
        """Prepare and start; then C{loaded} comes, or a failure."""
        self._loading = Deferred.fromCoroutine(self._load())
        self._loading.addCallbacks(self._run, self._not_loaded).addErrback(self._failed)

    async def _load(self) -> IExecution:
        await self._features.load(self._engine)
        return await self._engine.start()

    def _not_loaded(self, failure: Failure) -> None:
        # Given up: an engine that has to clear away first finds the time to say so in its own words.
        if not failure.check(CancelledError, Discarded):
            self._failed(failure)

    def _run(self, execution: IExecution) -> None:
        self._execution = execution
        self._recorded(execution.record)
        self._machine.loaded()
        self._loose.run(self._watch(execution), "watching the sandbox")

    async def _watch(self, execution: IExecution) -> None:
        started = self._features.started(execution).addErrback(self._failed)
        try:
            self._result = await execution.when_finished()
        except SandboxAborted:
            started.cancel()
            self._machine.aborted()
        except Exception:
            started.cancel()
            self._failed(Failure())
            self._machine.aborted()
        else:
            await started
            self._stopping = self._features.stopped(self._result)
            await self._stopping.addErrback(self._failed)
            self._machine.finished(self._result)

    def discard(self) -> None:
        """Give up loading; L{settled} says when nothing of it is left."""
        if self._loading is not None:
            self._loading.cancel()
        self._loose.run(self._engine.discard(), "discarding the sandbox")

    def kill(self, why: str, grace: float) -> None:
        """End what runs, with a result."""
        if self._execution is not None:
            self._execution.kill(why, grace)

    def abort(self, why: str) -> None:
        """End what runs, without a result, unless it is already there."""
        if self._execution is not None:
            self._loose.run(self._execution.abort(why).addErrback(_already_over), "aborting the sandbox")

    async def drop(self) -> None:
        """End whatever there is, and free it."""
        if self._execution is None:
            self.discard()
        else:
            self.abort("the worker gives up")
        if self._stopping is not None:
            # What features still do with the result may take hours, and nobody has them.
            self._stopping.cancel()
        await self.dispose()

    def settled(self) -> Deferred[None]:
        """Fire when what was discarded or aborted is gone."""
        return self._loose.wait()

    async def dispose(self) -> None:
        """Remove what the sandbox left; repeatable."""
        await self.settled()
        if self._result is not None:
            await self._result.dispose()


def _already_over(failure: Failure) -> None:
    failure.trap(SandboxEnded)
