"""A group of tasks on its way: created, followed until each is resolved, cancelled when asked to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.client.services import Queue
from tcworker.errors import CallFailed
from tcworker.interfaces import JSON, IResult, ITaskContext
from tcworker.local_run.definitions import LocalTask
from tcworker.local_run.files import UnusableFiles
from tcworker.local_run.outcomes import Outcome
from tcworker.local_run.output import DIM, Output
from tcworker.waiting import Loose, OneShot, pause

LOOK_EVERY, LOOK_SOON = 1.0, 0.03
"""Seconds between two looks at a task's state: while it runs, and once its log has ended."""

BAD_REQUEST = 400

_log = Logger()


class Group:
    """The tasks of one command."""

    def __init__(self, clock: IReactorTime, tasks: Sequence[LocalTask], output: Output) -> None:
        self._clock = clock
        self._tasks = {task.task_id: task for task in tasks}
        self._output = output
        self._results: dict[str, IResult] = {}
        self._waited_for: dict[str, str] = {}
        self._log_ended = {task.task_id: OneShot[None]() for task in tasks}
        self._unresolved = set(self._tasks)
        self._loose = Loose(_log)

    async def create(self, queue: Queue) -> None:
        """Create the tasks in order. Raises L{UnusableFiles} for one that the queue does not take."""
        self._queue = queue
        for task in self._tasks.values():
            try:
                await queue.create_task(task.task_id, task.definition)
            except CallFailed as error:
                if error.status != BAD_REQUEST:
                    raise
                # Only the queue knows some rules, that of a deadline's distance for one.
                raise UnusableFiles([f"{task.path}: {error.message}"]) from None

    def watch(self, context: ITaskContext) -> None:
        """Show the log of a run that begins."""
        name = self._tasks[context.task_id].name
        if len(self._tasks) > 1:
            self._output.say(f"{name}: task {context.task_id}, run {context.run_id}", DIM)
        show = self._output.follower(name)
        ended = OneShot[None]()
        # An earlier run's log tells nothing of this one.
        replaced, self._log_ended[context.task_id] = self._log_ended[context.task_id], ended
        replaced.succeed(None)

        def follow(piece: bytes) -> None:
            show(piece)
            if not piece:
                ended.succeed(None)

        context.log.follow(follow)

    def witness(self, task_id: str, result: IResult) -> None:
        """Keep how a sandbox ended."""
        self._results[task_id] = result

    def until_resolved(self, ended: Callable[[Outcome], Awaitable[None]]) -> Deferred[list[Outcome]]:
        """Fire with the outcomes when all tasks are resolved, in the order of the tasks.

        @param ended: called with each outcome as soon as it is there, and awaited.
        """
        following = [Deferred.fromCoroutine(self._follow(task, ended)) for task in self._tasks.values()]
        return gatherResults(following, consumeErrors=True).addErrback(_unwrap)

    def cancel(self) -> Deferred[None]:
        """Have the queue cancel all that is not resolved yet."""
        # Also those that have not begun: they would be claimed as soon as a slot is free.
        for task_id in tuple(self._unresolved):
            self._cancel(task_id)
        return self._loose.wait()

    async def _follow(self, task: LocalTask, ended: Callable[[Outcome], Awaitable[None]]) -> Outcome:
        status = await self._until_resolved(task.task_id)
        self._unresolved.discard(task.task_id)
        if status["state"] != "completed":
            self._cancel_those_after(task)
        result, waited_for = self._results.get(task.task_id), self._waited_for.get(task.task_id)
        outcome = Outcome(task, status, result, waited_for)
        await ended(outcome)
        return outcome

    async def _until_resolved(self, task_id: str) -> JSON:
        while True:
            status = (await self._queue.status(task_id))["status"]
            if status["state"] in ("completed", "failed", "exception"):
                return status
            await self._pause(task_id)

    async def _pause(self, task_id: str) -> None:
        """Wait until it is time to look again: for a while, or until the log ends and the report is about to come."""
        log_ended = self._log_ended[task_id]
        # The report comes within moments of the log's end.
        if log_ended.fired:
            await pause(self._clock, LOOK_SOON)
        else:
            await log_ended.wait().addTimeout(LOOK_EVERY, self._clock, _no_error)

    def _cancel_those_after(self, task: LocalTask) -> None:
        """What waits for a task that is not completed would wait until its deadline."""
        for other in self._tasks.values():
            strict = other.definition.get("requires", "all-completed") == "all-completed"
            if strict and task.task_id in other.dependencies and other.task_id in self._unresolved:
                # Of several, the first that was not completed is the one to name.
                self._waited_for.setdefault(other.task_id, task.name)
                self._cancel(other.task_id)

    def _cancel(self, task_id: str) -> None:
        self._loose.run(self._queue.cancel_task(task_id), f"cancelling {task_id}")


def _no_error(result: object, seconds: float) -> None:
    """The time being over is what one waits for."""


def _unwrap(failure: Failure) -> Failure:
    return failure.value.subFailure if isinstance(failure.value, FirstError) else failure
