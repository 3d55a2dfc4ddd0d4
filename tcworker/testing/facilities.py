"""What the runs of a worker share, in memory: for tests of claims and runs by the test's own clock."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.interfaces import IReactorTime

from tcworker.cache.rows import DOWNLOADS
from tcworker.cache.store import CacheStore
from tcworker.client.server_time import ServerTime
from tcworker.client.services import as_usual
from tcworker.config import Config
from tcworker.errors import TaskError
from tcworker.feature.registry import FeatureSet
from tcworker.interfaces import JSON, Credentials, IFeature, IPlatform, SandboxRecord
from tcworker.state import RunRecord
from tcworker.task.claim import Claim, read_date, write_date
from tcworker.task.context import IRunContext
from tcworker.task.facilities import Facilities
from tcworker.task.haste import Haste
from tcworker.task.log import TaskLog
from tcworker.task.resolution import Resolution
from tcworker.testing.caches import MemoryHome, MemoryTable
from tcworker.testing.context import TASK_ID, FakeTaskContext
from tcworker.testing.platform import FakePlatform
from tcworker.testing.queue import FakeQueue
from tcworker.waiting import now


class NoThreads:
    """Threads that do their work at once, in the caller's."""

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """See L{Threads.run}."""
        return execute(work, *args)

    def stop(self) -> Deferred[None]:
        """See L{Threads.stop}."""
        return succeed(None)


class MemoryState:
    """A state store that forgets everything with the test.

    @ivar kept: the runs that are remembered, by task and run.
    @ivar written: every call about a run, as a tuple of its name and what it changed.
    @ivar counted: how many tasks were counted.
    """

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], RunRecord] = {}
        self.written: list[tuple[Any, ...]] = []
        self.counted = 0

    def claimed(self, record: RunRecord) -> Deferred[None]:
        """See L{StateStore.claimed}."""
        self.kept[record.task_id, record.run_id] = record
        self.written.append(("claimed", record.task_id))
        return succeed(None)

    def reclaimed(self, task_id: str, run_id: int, taken_until: datetime, credentials: Credentials) -> Deferred[None]:
        """See L{StateStore.reclaimed}."""
        return self._change(("reclaimed", write_date(taken_until)), task_id, run_id, taken_until=taken_until)

    def sandboxed(self, task_id: str, run_id: int, sandbox: SandboxRecord) -> Deferred[None]:
        """See L{StateStore.sandboxed}."""
        return self._change(("sandboxed",), task_id, run_id, sandbox=sandbox)

    def decided(self, task_id: str, run_id: int, resolution: Resolution) -> Deferred[None]:
        """See L{StateStore.decided}."""
        return self._change(("decided", str(resolution)), task_id, run_id, resolution=resolution)

    def reported(self, task_id: str, run_id: int) -> Deferred[None]:
        """See L{StateStore.reported}."""
        return self._change(("reported",), task_id, run_id, reported=True)

    def done(self, task_id: str, run_id: int) -> Deferred[None]:
        """See L{StateStore.done}."""
        self.kept.pop((task_id, run_id), None)
        self.written.append(("done",))
        return succeed(None)

    def runs(self) -> Deferred[list[RunRecord]]:
        """See L{StateStore.runs}."""
        return succeed(list(self.kept.values()))

    def count_task(self) -> Deferred[None]:
        """See L{StateStore.count_task}."""
        self.counted += 1
        return succeed(None)

    def tasks_counted(self) -> Deferred[int]:
        """See L{StateStore.tasks_counted}."""
        return succeed(self.counted)

    def count_anew(self) -> Deferred[None]:
        """See L{StateStore.count_anew}."""
        self.counted = 0
        return succeed(None)

    def _change(self, written: tuple[Any, ...], task_id: str, run_id: int, **changes: Any) -> Deferred[None]:
        if (task_id, run_id) in self.kept:
            self.kept[task_id, run_id] = replace(self.kept[task_id, run_id], **changes)
        self.written.append(written)
        return succeed(None)


class SameTime(ServerTime):
    """Of a server whose clock is this machine's."""

    known = True


class FakeFacilities(Facilities):
    """Runs tasks on a L{FakePlatform}, with real logs in a folder and everything else in memory.

    @ivar queue: what the worker's and every run's own queue calls go to.
    @ivar contexts: those of the runs so far, in order; each knows what was published.
    """

    def __init__(
        self,
        clock: IReactorTime,
        folder: str,
        *,
        platform: IPlatform | None = None,
        features: Sequence[IFeature] = (),
        **settings: Any,
    ) -> None:
        os.makedirs(folder, exist_ok=True)
        config = Config(
            root_url="https://tc.example.com",
            credentials=Credentials("worker", "secret"),
            worker_type="test",
            worker_id="w1",
            provisioner_id="test",
            state_dir=folder,
            tasks_dir=folder,
            required_disk_space_megabytes=0,
            **settings,
        )
        self.queue = FakeQueue()
        self.contexts: list[FakeTaskContext] = []
        self.memory = MemoryState()
        time = SameTime(clock.seconds)
        super().__init__(
            config=config,
            clock=clock,
            http=cast(Any, None),
            threads=NoThreads(),
            state=self.memory,
            platforms=[platform or FakePlatform(clock)],
            features=FeatureSet(features),
            time=time,
            downloads=cast(Any, None),
            caches=CacheStore(MemoryTable(), MemoryHome().as_home(DOWNLOADS), config.capacity, time),
        )

    def new_queue(
        self, credentials: Callable[[], Credentials], silence: Callable[[float], float] = as_usual
    ) -> FakeQueue:
        """See L{Facilities.new_queue}: always the same one."""
        return self.queue

    def new_context(
        self,
        claim: Claim,
        folder: str,
        log: TaskLog,
        fail: Callable[[TaskError], None],
        haste: Haste,
    ) -> IRunContext:
        """See L{Facilities.new_context}."""
        context = _RunContext(self.clock, claim, folder, log, fail, haste)
        context.queue = self.queue
        self.contexts.append(context)
        return context

    def claim(
        self, payload: Mapping[str, Any] | None = None, *, task_id: str = TASK_ID, seconds: float = 1200
    ) -> Claim:
        """A claim as the queue would answer it, of a task with this payload, for so many seconds."""
        return Claim.from_json(self.claim_answer(payload, task_id=task_id, seconds=seconds))

    def claim_answer(
        self, payload: Mapping[str, Any] | None = None, *, task_id: str = TASK_ID, seconds: float = 1200
    ) -> JSON:
        """The same as JSON, one element of C{tasks} in claimWork's answer."""
        task = FakeTaskContext(self.clock, payload or {"script": []}, task_id=task_id).task
        return {
            "status": {"taskId": task_id},
            "runId": 0,
            "task": task,
            "takenUntil": write_date(now(self.clock) + timedelta(seconds=seconds)),
            "credentials": {"clientId": "run", "accessToken": "first"},
        }

    def reclaim_answer(self, seconds: float = 1200) -> JSON:
        """What reclaimTask answers."""
        until = write_date(now(self.clock) + timedelta(seconds=seconds))
        return {"takenUntil": until, "credentials": {"clientId": "run", "accessToken": "next"}}


class _RunContext(FakeTaskContext):
    """A context with the run's own log and clock, and that tells its run of errors."""

    def __init__(
        self,
        clock: IReactorTime,
        claim: Claim,
        folder: str,
        log: TaskLog,
        fail: Callable[[TaskError], None],
        haste: Haste,
    ) -> None:
        super().__init__(
            clock, claim.task["payload"], task=claim.task, task_id=claim.task_id, run_id=claim.run_id, folder=folder
        )
        self.deadline, self.expires = read_date(claim.task["deadline"]), read_date(claim.task["expires"])
        self.log = log  # type: ignore[assignment]  # the run's own instead of one in memory
        self._fail = fail
        self.haste = haste

    def fail(self, error: TaskError) -> None:
        """See L{ITaskContext.fail}."""
        super().fail(error)
        self._fail(error)
