"""What every case of the engine contract suite stands on: a platform, runs of it, and a look at what they leave."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias
from uuid import uuid4

import slugid
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.trial.unittest import SkipTest

from tcworker.errors import SandboxEnded
from tcworker.interfaces import IEngine, IPlatform, IResult, SandboxRecord
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.engines.patience import Patience
from tcworker.testing.engines.payloads import Payload, Payloads
from tcworker.testing.engines.run import Run
from tcworker.testing.engines.traces import descriptors, processes_with, threads
from tcworker.testing.engines.traces import processes as descendants
from tcworker.waiting import pause

Snapshot: TypeAlias = Mapping[str, Sequence[str]]

SHELLS = "shells"
TERMINALS = "terminals"
CACHES = "caches"
PROXIES = "proxies"
SERVICES = "services"
USAGE = "usage"
OWN_USER = "own user"


class EngineHarness(Patience):
    """The part of the suite that a platform's own test case fills in.

    @cvar reactor: what everything waits by.
    @cvar payloads: the platform's payloads.
    @cvar offers: what the platform has of L{SHELLS}, L{TERMINALS}, L{CACHES}, L{PROXIES}, L{SERVICES}, L{USAGE}
        (L{IExecution.measure}); and L{OWN_USER} when its tasks run as a user that may not read everything, that is not
        as root. Of what is not offered the suite checks that it is refused.
    @ivar platform: prepared before each test, disposed after it.
    """

    payloads: ClassVar[Payloads]
    offers: ClassVar[frozenset[str]] = frozenset()
    timeout = 60
    platform: IPlatform

    def new_platform(self) -> IPlatform:
        """Make the platform, as the worker does.

        Called again in one test, it makes that of a worker which was started again on the same machine.
        """
        raise NotImplementedError

    def failing_start(self) -> Payload:
        """See to it that the next start fails with a L{TaskError}, and give the payload to start."""
        raise SkipTest("the test case of this platform does not say how a start fails")

    def slow_start(self) -> Payload:
        """A payload whose start is not over when L{IEngine.start} returns."""
        return self.payloads.prints_then_sleeps("never")

    def traces(self) -> Sequence[str]:
        """What this machine has of the platform's sandboxes just now, apart from processes of ours: folders, users."""
        return []

    def processes(self, marker: str) -> Sequence[str]:
        """The processes that live and have a marker in their command line."""
        return processes_with(marker)

    def make_secret(self, text: str) -> str:
        """Make a file outside of all sandboxes that a task's user may not read, and give its path."""
        descriptor, path = tempfile.mkstemp(prefix="tcworker-secret-")
        os.write(descriptor, text.encode())
        os.close(descriptor)
        os.chmod(path, 0)
        self.addCleanup(os.unlink, path)
        return path

    def rewrite(self, record: SandboxRecord, path: str, content: bytes | None) -> None:
        """Replace what a file in a sandbox that has ended contains, in the same file; C{None} removes it."""
        raise SkipTest("the test case of this platform does not say how a file changes")

    def replace_by_link(self, record: SandboxRecord, path: str, target: str) -> None:
        """Put a symbolic link in place of a file in a sandbox that has ended."""
        raise SkipTest("the test case of this platform does not say how a file changes")

    def setUp(self) -> Deferred[IPlatform]:  # type: ignore[override]  # trial waits for it
        """Prepare the platform."""
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self, left: Sequence[SandboxRecord] = ()) -> IPlatform:
        """Make and prepare a platform that is disposed after the test."""
        self.platform = self.new_platform()
        self.addCleanup(self.platform.dispose)
        await self.platform.prepare(left)
        # So that the reactor runs, and trial's own timer is there, before anybody takes a snapshot.
        await pause(self.reactor, 0)
        return self.platform

    def new_context(self, payload: Payload) -> FakeTaskContext:
        """A run of its own for a payload."""
        context = FakeTaskContext(self.reactor, payload, task_id=new_task_id())
        self.addCleanup(context.close)
        return context

    def new_engine(self, payload: Payload) -> IEngine:
        """A sandbox that has not started."""
        return self.platform.new_engine(self.new_context(payload))

    async def start(self, payload: Payload, env: Mapping[str, str] | None = None) -> Run:
        """Start a task; whatever becomes of it, it is gone after the test."""
        context = self.new_context(payload)
        engine = self.platform.new_engine(context)
        for name, value in (env or {}).items():
            engine.set_env(name, value)
        run = Run(context, engine, await engine.start())
        self.addCleanup(self.free, run)
        return run

    async def finish(self, payload: Payload, env: Mapping[str, str] | None = None) -> tuple[Run, IResult]:
        """Start a task and wait for its end."""
        run = await self.start(payload, env)
        return run, await self.ended(run)

    async def running(self, text: str) -> Run:
        """A task that has printed a text and sleeps."""
        run = await self.start(self.payloads.prints_then_sleeps(text))
        await self.see(run, text)
        return run

    async def with_daemon(self, *, sleeps: bool) -> tuple[Run, str]:
        """A task whose daemon is known to live, if the task itself still does."""
        marker = new_marker()
        run = await self.start(self.payloads.leaves_daemon("daemon is up", marker, sleeps))
        await self.see(run, "daemon is up")
        if sleeps:
            self.assertNotEqual(self.processes(marker), [], "the suite does not see the daemon")
        return run, marker

    async def warm(self) -> Snapshot:
        """Run a task, so that what a platform makes once is there, and say what there is then."""
        # Launchers, caches of modules and pools come with the first task and stay.
        _, result = await self.finish(self.payloads.prints("warm up"))
        await result.dispose()
        return self.snapshot()

    async def ended(self, run: Run) -> IResult:
        """Wait for the end of a task."""
        return await self.soon(run.execution.when_finished(), lambda: f"no end; printed so far: {run.printed!r}")

    async def see(self, run: Run, text: str) -> None:
        """Wait until the log shows a text."""
        await self.soon(run.seen(text), lambda: f"no {text!r} in the log: {run.printed!r}")

    async def free(self, run: Run) -> None:
        """Do what a worker owes to a sandbox."""
        try:
            await run.execution.abort("the test is over")
        except SandboxEnded:
            result = await run.execution.when_finished()
            await result.dispose()

    def snapshot(self) -> Snapshot:
        """What there is now of all that a sandbox could leave behind."""
        return {
            "of the platform": sorted(self.traces()),
            "processes": descendants(),
            "descriptors": descriptors(),
            "timers": [name for name in self.timers() if not name.startswith("TestCase.")],
        }

    def timers(self) -> Sequence[str]:
        """The calls that wait for their time, by the names of their functions."""
        waiting: Sequence[IDelayedCall] = getattr(self.reactor, "getDelayedCalls", list)()
        return [str(getattr(getattr(timer, "func", None), "__qualname__", timer)) for timer in waiting]

    def snapshot_with_threads(self) -> Snapshot:
        """The same with threads, of which a platform may have more and more until it is disposed."""
        return {**self.snapshot(), "threads": threads()}

    async def nothing_left(self, since: Snapshot) -> None:
        """Fail if there is more than there was; what ends in the background has a moment for that."""

        def more() -> Mapping[str, Sequence[str]]:
            current = self.snapshot_with_threads()
            grown = {kind: Counter(current[kind]) - Counter(before) for kind, before in since.items()}
            return {kind: list(what.elements()) for kind, what in grown.items() if what}

        await self.until(lambda: not more(), lambda: f"left behind: {more()}", 5)

    def requires(self, what: str) -> None:
        """Skip a test of what the platform does not offer."""
        if what not in self.offers:
            raise SkipTest(f"this platform has no {what}")

    def refuses(self, what: str) -> None:
        """Skip a test of how the platform refuses what it does offer."""
        if what in self.offers:
            raise SkipTest(f"this platform has {what}")


def new_task_id() -> str:
    """A taskId that no other run has."""
    return str(slugid.nice())


def new_marker() -> str:
    """A word for a command line that no other process has."""
    return f"marker-{uuid4().hex}"
