"""An exception in one task or feature is nobody else's matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IFeature, ITaskContext
from tests.definitions import shell
from tests.engine.native.harness import touch
from tests.integration.task_case import TaskCase
from tests.integration.task_client import Outcome


class Fault(Exception):
    """What nobody foresaw."""


class Exploding(TaskFeature):
    """Fails in the hook that a task names in C{EXPLODE}: at once, or with a C{late-} in front later."""

    def __init__(self, where: str) -> None:
        self._where = where

    def _reach(self, hook: str) -> Deferred[None]:
        if self._where == hook:
            raise Fault(hook)
        if self._where == f"late-{hook}":
            return fail(Fault(hook))
        return succeed(None)

    def load(self, engine: Any) -> Deferred[None]:
        return self._reach("load")

    def started(self, execution: Any) -> Deferred[None]:
        return self._reach("started")

    def stopped(self, result: Any) -> Deferred[None]:
        return self._reach("stopped")

    def upload(self, result: Any) -> Deferred[None]:
        return self._reach("upload")

    def cleanup(self) -> Deferred[None]:
        return self._reach("cleanup")


@implementer(IFeature)
class ExplodingFeature:
    name = "exploding"
    schema: ClassVar[Mapping[str, Any]] = {"properties": {}}
    after = ()

    def for_task(self, context: ITaskContext) -> Exploding | None:
        where = context.payload.get("env", {}).get("EXPLODE")
        if where == "for-task":
            raise Fault(where)
        return Exploding(where) if where else None


class Neighbours(TaskCase):
    """One task of two, side by side."""

    settings: ClassVar[Mapping[str, Any]] = {"capacity": 2, "taskUsers": False, "maxInternalErrors": 0}
    features = (ExplodingFeature(),)

    async def explode(self, where: str) -> Outcome:
        """Give the outcome of a task with a fault, beside which another one runs from before its start to its end."""
        script = f"touch begun; while ! [ -e {self.site.folder}/{where} ]; do sleep 0.02; done; echo went on"
        neighbour = await self.client.create(shell(script))
        await self.until_begun()
        outcome = await self.run_task(shell("echo ran", env={"EXPLODE": where}))
        touch(self.site.folder, where)
        self.assertResolved(await self.client.outcome(neighbour), "completed", "went on")
        return outcome

    async def assertOnlyItFails(self, where: str) -> None:
        outcome = await self.explode(where)
        self.assertResolved(outcome, "exception/internal-error", "incident")
        self.assertTrue(self.flushLoggedErrors(Fault))

    async def test_before_it_begins(self) -> None:
        await self.assertOnlyItFails("for-task")

    async def test_before_its_sandbox_starts(self) -> None:
        await self.assertOnlyItFails("load")
        await self.assertOnlyItFails("late-load")

    async def test_while_it_runs(self) -> None:
        await self.assertOnlyItFails("started")
        await self.assertOnlyItFails("late-started")

    async def test_after_it_ran(self) -> None:
        await self.assertOnlyItFails("stopped")
        await self.assertOnlyItFails("late-stopped")

    async def test_while_it_is_published(self) -> None:
        await self.assertOnlyItFails("upload")
        await self.assertOnlyItFails("late-upload")

    async def test_while_it_is_cleaned_up(self) -> None:
        """The queue has been told already."""
        for where in ("cleanup", "late-cleanup"):
            self.assertResolved(await self.explode(where), "completed", "ran")
            self.assertTrue(self.flushLoggedErrors(Fault))

    async def test_in_who_watches(self) -> None:
        def complain(context: ITaskContext) -> None:
            raise Fault("nobody asked")

        self.addCleanup(self.site.worker.watch_runs(complain))
        await self.assertWorks()
        self.assertTrue(self.flushLoggedErrors(Fault))
