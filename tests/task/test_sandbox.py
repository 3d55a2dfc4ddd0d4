"""A sandbox that is given up while it starts."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import Discarded, InternalError, SandboxEnded
from tcworker.task.sandbox import Sandbox
from tcworker.worker_log import RunLogger


class SlowEngine:
    """One whose start ends some time after it was given up, when all of it is gone."""

    def __init__(self) -> None:
        self.preparing: Deferred[None] = Deferred()
        self.clearing: Deferred[None] = Deferred()
        self.discarded = False

    def start(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        try:
            await self.preparing
        except CancelledError:
            await self.clearing
            raise Discarded("while it started") from None

    def discard(self) -> Deferred[None]:
        self.discarded = True
        return succeed(None)


class NoFeatures:
    def load(self, engine: Any) -> Deferred[None]:
        return succeed(None)


class Hooks(NoFeatures):
    """Those of a feature that has much to do when the sandbox is over."""

    def __init__(self) -> None:
        self.working: Deferred[None] = Deferred()

    def started(self, execution: Any) -> Deferred[None]:
        return succeed(None)

    def stopped(self, result: Any) -> Deferred[None]:
        return self.working


class Over:
    """A task that has ended, with what it left."""

    record = None

    def __init__(self) -> None:
        self.disposed = False

    def start(self) -> Deferred[Any]:
        return succeed(self)

    def when_finished(self) -> Deferred[Any]:
        return succeed(self)

    def abort(self, why: str) -> Deferred[None]:
        return fail(SandboxEnded("it has ended"))

    def dispose(self) -> Deferred[None]:
        self.disposed = True
        return succeed(None)


class Machine:
    def loaded(self) -> None:
        pass

    def finished(self, result: Any) -> None:
        pass


class Dropped(SynchronousTestCase):
    def test_nobody_waits_for_what_is_done_with_what_is_left(self) -> None:
        task: Any = Over()
        hooks: Any = Hooks()
        machine: Any = Machine()
        failures: list[Failure] = []

        def failed(failure: Failure) -> None:
            if not failure.check(CancelledError):
                failures.append(failure)

        sandbox = Sandbox(task, hooks, machine, failed=failed, recorded=lambda record: None, log=RunLogger("task/0"))
        sandbox.load()
        self.successResultOf(Deferred.fromCoroutine(sandbox.drop()))
        self.assertEqual((task.disposed, failures), (True, []))


class GivenUp(SynchronousTestCase):
    def setUp(self) -> None:
        self.engine = SlowEngine()
        self.failures: list[Failure] = []
        any_engine: Any = self.engine
        features: Any = NoFeatures()
        machine: Any = None
        self.sandbox = Sandbox(
            any_engine,
            features,
            machine,
            failed=self.failures.append,
            recorded=lambda record: None,
            log=RunLogger("task/0"),
        )
        self.sandbox.load()

    def test_that_it_was_is_no_failure(self) -> None:
        self.sandbox.discard()
        self.engine.clearing.callback(None)
        self.assertEqual((self.engine.discarded, self.failures), (True, []))

    def test_what_else_goes_wrong_is(self) -> None:
        self.engine.preparing.errback(InternalError("no disk"))
        self.assertEqual([str(failure.value) for failure in self.failures], ["no disk"])
