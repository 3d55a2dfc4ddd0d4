"""A queue in memory: it writes down every call, and the test hands back the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred

from tcworker.errors import CallFailed, TaskclusterError, Unreachable
from tcworker.interfaces import JSON, Credentials


@dataclass
class Call:
    """One call that somebody made of the queue.

    @ivar method: as Python spells it, for example C{claim_work}.
    @ivar args: the parts of the route and, last, the body.
    @ivar credentials: those it would have been signed with.
    @ivar answer: what the caller waits for.
    @ivar cancelled: whether the caller gave up before the answer.
    """

    method: str
    args: tuple[JSON, ...]
    query: dict[str, JSON]
    credentials: Credentials | None
    answer: Deferred[JSON] = field(repr=False)
    cancelled: bool = False

    @property
    def waiting(self) -> bool:
        """Whether it has no answer yet."""
        return not self.answer.called

    @property
    def body(self) -> JSON:
        """The last argument, which is the body of the calls that have one."""
        return self.args[-1]


Answer = Callable[[Call], JSON]
"""Gives the answer of a call, or raises what it fails with."""


class FakeQueue:
    """The methods of L{tcworker.client.services.Queue} that a worker calls.

    A call waits until the test gives its answer with L{answer}, L{refuse} or L{lose}; or it is answered at once if the
    test said so beforehand with L{always}.

    @ivar calls: every call, in order.
    @ivar lost_claims: as of the real one.
    @param credentials: asked at every call, as the real one does.
    """

    def __init__(self, credentials: Callable[[], Credentials | None] = lambda: None) -> None:
        self.calls: list[Call] = []
        self.lost_claims = 0
        self._credentials = credentials
        self._always: dict[str, Answer] = {}

    def claim_work(self, task_queue_id: str, body: JSON) -> Deferred[JSON]:
        """Ask for tasks; to be answered with C{{"tasks": [...]}}."""
        return self._call("claim_work", task_queue_id, body)

    def reclaim_task(self, task_id: str, run_id: int | str) -> Deferred[JSON]:
        """Prolong a claim; to be answered with C{takenUntil} and C{credentials}."""
        return self._call("reclaim_task", task_id, run_id)

    def report_completed(self, task_id: str, run_id: int | str) -> Deferred[JSON]:
        """Resolve a run as completed."""
        return self._call("report_completed", task_id, run_id)

    def report_failed(self, task_id: str, run_id: int | str) -> Deferred[JSON]:
        """Resolve a run as failed."""
        return self._call("report_failed", task_id, run_id)

    def report_exception(self, task_id: str, run_id: int | str, body: JSON) -> Deferred[JSON]:
        """Resolve a run as an exception, for C{{"reason": ...}}."""
        return self._call("report_exception", task_id, run_id, body)

    def create_artifact(self, task_id: str, run_id: int | str, name: str, body: JSON) -> Deferred[JSON]:
        """Declare an artifact; to be answered with C{storageType} and what belongs to it."""
        return self._call("create_artifact", task_id, run_id, name, body)

    def finish_artifact(self, task_id: str, run_id: int | str, name: str, body: JSON) -> Deferred[JSON]:
        """Say that the upload of an object artifact is done."""
        return self._call("finish_artifact", task_id, run_id, name, body)

    def status(self, task_id: str) -> Deferred[JSON]:
        """Ask how a task stands; to be answered with C{{"status": ...}}."""
        return self._call("status", task_id)

    def statuses(self, body: JSON) -> Deferred[JSON]:
        """Ask how many tasks stand; to be answered with C{{"statuses": [{"taskId": ..., "status": ...}]}}."""
        return self._call("statuses", body)

    def task(self, task_id: str) -> Deferred[JSON]:
        """Ask for a task's definition."""
        return self._call("task", task_id)

    def always(self, method: str, answer: JSON | Answer) -> None:
        """Answer each later call of a method at once: with a value, an error, or what a function of the call gives."""
        self._always[method] = answer if callable(answer) else lambda _: _give(answer)

    def waiting(self, method: str) -> list[Call]:
        """The calls of a method that have no answer yet, in order."""
        return [call for call in self.calls if call.method == method and call.waiting]

    def made(self, method: str) -> list[Call]:
        """All calls of a method, in order."""
        return [call for call in self.calls if call.method == method]

    def methods(self) -> list[str]:
        """The names of all calls, in order."""
        return [call.method for call in self.calls]

    def answer(self, method: str, result: JSON = None) -> Call:
        """Answer the oldest waiting call of a method."""
        call = self._oldest(method)
        call.answer.callback({} if result is None else result)
        return call

    def refuse(self, method: str, status: int = 409, code: str = "RequestConflict", message: str = "no") -> Call:
        """Let the oldest waiting call of a method fail with L{CallFailed}."""
        return self.fail(method, CallFailed(_wire_name(method), status, code, message))

    def lose(self, method: str, message: str = "connection lost") -> Call:
        """Let the oldest waiting call of a method fail with L{Unreachable}."""
        return self.fail(method, Unreachable(_wire_name(method), message))

    def fail(self, method: str, error: TaskclusterError) -> Call:
        """Let the oldest waiting call of a method fail."""
        call = self._oldest(method)
        call.answer.errback(error)
        return call

    def _oldest(self, method: str) -> Call:
        waiting = self.waiting(method)
        if not waiting:
            raise AssertionError(f"no call of {method} waits; made so far: {self.methods()}")
        return waiting[0]

    def _call(self, method: str, *args: JSON, **query: JSON) -> Deferred[JSON]:
        # Noted, not hidden: what was given up went over the wire all the same.
        answer: Deferred[JSON] = Deferred(lambda _: setattr(call, "cancelled", True))
        call = Call(method, args, query, self._credentials(), answer)
        self.calls.append(call)
        if method in self._always:
            self._answer_at_once(call)
        return answer

    def _answer_at_once(self, call: Call) -> None:
        try:
            call.answer.callback(self._always[call.method](call))
        except Exception as error:
            call.answer.errback(error)


def _give(answer: JSON) -> JSON:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _wire_name(method: str) -> str:
    first, *rest = method.split("_")
    return first + "".join(word.title() for word in rest)
