"""The features of a worker, and for each run those that its task asks for, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.errors import TaskError
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IEngine, IExecution, IFeature, IResult, ITaskContext, ITaskFeature
from tcworker.task.outcome import as_task_error, join
from tcworker.waiting import OneShot

_log = Logger()

Hook = Callable[[ITaskFeature], Deferred[None]]


class FeatureSet:
    """All features of one worker.

    @raise ValueError: a name twice, an C{after} that names nobody, or features that wait for each other.
    """

    def __init__(self, features: Sequence[IFeature]) -> None:
        self._features = {feature.name: feature for feature in features}
        if len(self._features) < len(features):
            raise ValueError(f"two features have one name, among {', '.join(f.name for f in features)}")
        self._after = _close({feature.name: tuple(feature.after) for feature in features})

    @property
    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """Each feature's slice of the payload, by the feature's name."""
        return {name: feature.schema for name, feature in self._features.items()}

    def for_task(self, context: ITaskContext) -> RunFeatures:
        """Give the features that a task asks for. Raises the joined L{TaskError} of all that refuse."""
        chosen: dict[str, ITaskFeature] = {}
        errors: list[TaskError] = []
        for name, feature in self._features.items():
            try:
                at_work = feature.for_task(context)
            # One after the other to the end, so that an author learns of all that is wrong at once.
            except Exception:
                errors.append(as_task_error(Failure(), context.name, f"feature {name} reading the payload"))
            else:
                if at_work is not None:
                    chosen[name] = at_work
        if joined := join(errors):
            raise joined
        return RunFeatures(context, chosen, self._after)


class RunFeatures:
    """The features at work for one run.

    Each method calls one hook of all of them, side by side but for their C{after}, and fails with the L{TaskError}
    that their failures come to, once all have ended. Cancelling it cancels every hook.
    """

    def __init__(
        self, context: ITaskContext, features: Mapping[str, ITaskFeature], after: Mapping[str, frozenset[str]]
    ) -> None:
        self._context = context
        self._features = features
        self._after = after

    def load(self, engine: IEngine) -> Deferred[None]:
        """Before the sandbox starts. Features that come after a failed one are left out."""
        return self._run("load", lambda feature: feature.load(engine), skip=True)

    def started(self, execution: IExecution) -> Deferred[None]:
        """The sandbox runs. Features that come after a failed one are left out."""
        return self._run("started", lambda feature: feature.started(execution), skip=True)

    def stopped(self, result: IResult) -> Deferred[None]:
        """The sandbox is over."""
        return self._run("stopped", lambda feature: feature.stopped(result))

    def upload(self, result: IResult) -> Deferred[None]:
        """What the task made is published."""
        return self._run("upload", lambda feature: feature.upload(result))

    def cleanup(self) -> Deferred[None]:
        """The run is resolved. Failures are logged in the worker's log, and this does not fail."""
        return self._run("cleanup", lambda feature: feature.cleanup()).addErrback(self._log_cleanup)

    def _run(self, stage: str, hook: Hook, skip: bool = False) -> Deferred[None]:
        # Most features have one hook or two: what does nothing is not worth waiting for.
        concerned = {name: feature for name, feature in self._features.items() if _has_hook(feature, stage)}
        if not concerned:
            return succeed(None)
        return Deferred.fromCoroutine(_Stage(concerned, self._after, hook, skip).run(self._join, stage))

    def _join(self, failures: Mapping[str, Failure], stage: str) -> TaskError | None:
        run = self._context.name
        errors = [as_task_error(failure, run, f"feature {name}, {stage}") for name, failure in failures.items()]
        joined = join(errors)
        for error in errors:
            # The run ends by one kind of error; what it does not say, its author still reads here.
            if joined is not None and not set(error.messages) <= set(joined.messages):
                self._context.log.error(str(error))
        return joined

    def _log_cleanup(self, failure: Failure) -> None:
        # The run is resolved, so that nobody but the operator can want to know.
        failure.trap(TaskError)
        _log.error("cleaning up: {error}", error=str(failure.value), run=self._context.name)


def _has_hook(feature: ITaskFeature, stage: str) -> bool:
    return getattr(getattr(feature, stage), "__func__", None) is not getattr(TaskFeature, stage)


class _Stage:
    """One hook of all features."""

    def __init__(
        self, features: Mapping[str, ITaskFeature], after: Mapping[str, frozenset[str]], hook: Hook, skip: bool
    ) -> None:
        self._features = features
        self._after = after
        self._hook = hook
        self._skip = skip
        self._ended: dict[str, OneShot[bool]] = {name: OneShot() for name in features}

    async def run(self, judge: Callable[[Mapping[str, Failure], str], TaskError | None], stage: str) -> None:
        cancelled, outcomes = await self._all()
        if cancelled:
            raise CancelledError
        failures = {name: value for name, (fine, value) in zip(self._features, outcomes, strict=True) if not fine}
        if error := judge(failures, stage):
            raise error

    async def _all(self) -> tuple[bool, list[tuple[bool, Any]]]:
        """Call all hooks and wait for all; whether that was cancelled, and how each of them ended."""
        # Fails only by being cancelled: a hook's own CancelledError does not tell whether anybody asked for it.
        uncancelled: Deferred[None] = Deferred()

        def over(outcomes: list[tuple[bool, Any]]) -> list[tuple[bool, Any]]:
            if not uncancelled.called:
                uncancelled.callback(None)
            return outcomes

        hooks = DeferredList([Deferred.fromCoroutine(self._one(name)) for name in self._features], consumeErrors=True)
        both: list[Deferred[Any]] = [uncancelled, hooks.addCallback(over)]
        (not_cancelled, _), (_, outcomes) = await DeferredList(both, consumeErrors=True)
        return not not_cancelled, outcomes

    async def _one(self, name: str) -> None:
        fine = False
        try:
            fine = await self._earlier(name) or not self._skip
            if fine:
                fine = False
                await self._hook(self._features[name])
                fine = True
        # Whatever became of it, those that come after it must not wait for ever.
        finally:
            self._ended[name].succeed(fine)

    async def _earlier(self, name: str) -> bool:
        """Wait for the features that come before; whether all of them went well."""
        fine = True
        for other in self._after[name]:
            if other in self._ended:
                fine = await self._ended[other].wait() and fine
        return fine


def _close(after: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    """Find all that come before each feature, also through others: a task need not ask for those between."""
    for name, others in after.items():
        if unknown := set(others) - set(after):
            raise ValueError(
                f"feature {name} comes after {', '.join(sorted(unknown))}, which this worker does not have"
            )
    try:
        order = tuple(TopologicalSorter(after).static_order())
    except CycleError as error:
        raise ValueError(f"features wait for each other: {' -> '.join(error.args[1])}") from error
    closed: dict[str, frozenset[str]] = {}
    # In this order, those before a feature have theirs already.
    for name in order:
        closed[name] = frozenset(after[name]).union(*(closed[other] for other in after[name]))
    return closed
