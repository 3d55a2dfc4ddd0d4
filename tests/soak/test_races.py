"""Sandboxes that are killed, aborted, discarded, entered and disposed at any moment leave nothing.

Fifteen rounds with one seed, five hundred in C{make soak} with another each time, which is printed; C{TCWORKER_SEED}
repeats it: moments are the same then, what happens at them is up to the machine.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, FirstError, gatherResults, succeed
from twisted.python.failure import Failure

from tcworker.engine.native.platform import NativePlatform
from tcworker.errors import ArchiveError, Discarded, InternalError, SandboxAborted, SandboxEnded, TaskFailed
from tcworker.interfaces import IEngine, IExec, IExecution, IResult, Size
from tcworker.launcher.server import MOST_WAITING
from tcworker.testing.engines.shells import Recorder
from tcworker.testing.engines.traces import descriptors, processes, processes_with
from tcworker.waiting import pause
from tests.chances import SOAKING
from tests.engine.native.harness import NativeCase, names_in, open_in, supervisors_of
from tests.surroundings import until

ROUNDS = 500 if SOAKING else 15
SIDE_BY_SIDE = 2
LONGEST_PAUSE = 0.06
MARKER = "races-of-tcworker"

SCRIPTS: Sequence[Sequence[str]] = (
    ("exit 0",),
    ("echo one; exit 3",),
    ("touch file", "echo two", "exit 0"),
    ("for i in 1 2 3 4 5; do sh -c 'sleep 600; :' $0 & done; echo up; wait",),
    ("( setsid sh -c 'trap \"\" TERM; while :; do sleep 0.02; done' $0 & ); echo up",),
    ("( setsid sh -c 'trap \"\" TERM; while :; do sleep 0.02; done' $0 & ); touch a b; sleep 600",),
    ("trap '' TERM; echo up; while :; do sleep 0.01; done",),
    ("trap 'touch late; exit 0' TERM; while :; do sleep 0.01; done",),
    ("yes yes yes",),
    ("head -c 3000000 /dev/zero; mkdir -p d/e; touch d/e/f", "exit 1"),
    ("while :; do sh -c 'exit 9' & done",),
)


class Life:
    """One sandbox from its start to its end; what was seen of it is checked on the way.

    @param rng: decides what happens and when.
    """

    def __init__(self, case: RaceTests, rng: random.Random, engine: IEngine) -> None:
        self._case, self._rng, self._engine = case, rng, engine
        self._whys: list[str] = []
        self._aborted = self._died = False
        self._execs: list[tuple[IExec, Recorder]] = []

    async def live(self) -> str:
        """Run it, and say how it ended."""
        starting = self._engine.start()
        if self._rng.random() < 0.15:
            await self._pause(0.01)
            if not starting.called:
                discarding = self._engine.discard()
                await self._case.assertFailure(starting, Discarded)
                await discarding
                return "discarded"
        execution = await starting
        waiting = [execution.when_finished() for _ in range(2)]
        for _ in range(self._rng.randrange(5)):
            await self._pause()
            await self._rng.choice(self._actions)(self, execution)
        await self._pause()
        execution.kill("the round is over", self._rng.choice((0, 0.03)))
        self._whys.append("the round is over")
        outcomes = [outcome for _, outcome in await DeferredList(waiting, consumeErrors=True)]
        await self._check_execs()
        return await self._check(execution, outcomes)

    async def _kill(self, execution: IExecution) -> None:
        why = f"why {len(self._whys)}"
        self._whys.append(why)
        execution.kill(why, self._rng.choice((0, 0.02, 5)))

    async def _abort(self, execution: IExecution) -> None:
        try:
            await execution.abort("because")
            self._aborted = True
        except SandboxEnded:
            await execution.when_finished()

    async def _enter(self, execution: IExecution) -> None:
        recorder = Recorder()
        command = self._rng.choice((["sleep", "600"], ["sh", "-c", "echo in; exit 4"], ["/no/such"]))
        try:
            new = await execution.new_exec(recorder, command, {}, self._rng.choice((None, Size(80, 24))))
        except (SandboxEnded, TaskFailed, InternalError):
            return
        self._execs.append((new, recorder))
        if self._rng.random() < 0.5:
            await self._pause(0.01)
            new.abort()

    async def _murder(self, execution: IExecution) -> None:
        """The supervisor dies, which happens to those who are short of memory."""
        if self._rng.random() < 0.1 and not execution.when_finished().addErrback(lambda _: None).called:
            self._died = True
            os.kill(execution.record.details["pid"], signal.SIGKILL)

    _actions: Sequence[Callable] = (_kill, _abort, _enter, _enter, _murder)

    async def _check_execs(self) -> None:
        for process, recorder in self._execs:
            await process.when_ended()
            await until(lambda recorder=recorder: recorder.ends)

    async def _check(self, execution: IExecution, outcomes: Sequence[IResult | Failure]) -> str:
        """Everybody is told the same, now and later, and it is one of the ends that there can be."""
        first = outcomes[0]
        if isinstance(first, Failure):
            expected = [SandboxAborted] * self._aborted + [InternalError] * self._died
            self._case.assertTrue(first.check(*expected), first)
            for outcome in outcomes:
                self._case.assertIs(outcome.type, first.type)
            await self._case.assertFailure(execution.when_finished(), first.type)
            await execution.abort("once more")
            return first.type.__name__
        self._case.assertFalse(self._aborted, "an abort that succeeds leaves no result")
        self._case.assertTrue(all(outcome is first for outcome in outcomes))
        self._case.assertIn(first.killed, [None, *self._whys])
        self._case.assertFalse(first.success and first.killed is not None)
        await self._case.assertFailure(execution.abort("too late"), SandboxEnded)
        await self._use(first)
        return "killed" if first.killed else "success" if first.success else "failure"

    async def _use(self, result: IResult) -> None:
        """Read what it left, while it is perhaps removed already."""
        reading = self._read(result) if self._rng.random() < 0.5 else None
        following = succeed(None) if reading is None else Deferred.fromCoroutine(reading)
        if self._rng.random() < 0.5:
            await gatherResults([following, result.dispose(), result.dispose()])
        else:
            await following
            await result.dispose()

    async def _read(self, result: IResult) -> None:
        try:
            async for entry in result.archive_folder("."):
                if hasattr(entry, "close"):
                    entry.close()
        except (ArchiveError, InternalError):
            return

    async def _pause(self, longest: float = LONGEST_PAUSE) -> None:
        await pause(reactor, self._rng.uniform(0, longest))


class RaceTests(NativeCase):
    """Two sandboxes side by side, over and over."""

    timeout = 900

    async def test_races(self):
        chosen = random.randrange(1 << 32) if SOAKING else 1
        seed = int(os.environ.get("TCWORKER_SEED") or chosen)
        self.strangers = set(processes())
        platform = await self.new_platform()
        await self.round(platform, f"{seed} before the first")
        before = descriptors()
        ends: Counter[str] = Counter()
        for number in range(ROUNDS):
            name = f"round {number} of seed {seed}"
            ends.update(await self.round(platform, name))
            await self.nothing_left(platform, before, name)
        print(f"seed {seed}: {ROUNDS} rounds, {dict(ends)}")
        self.flushLoggedErrors(InternalError)

    async def round(self, platform: NativePlatform, name: str) -> list[str]:
        """Some lives at the same time, and how each ended."""
        lives = [self.new_life(platform, random.Random(f"{name}, {place}")) for place in range(SIDE_BY_SIDE)]
        try:
            return await gatherResults([Deferred.fromCoroutine(life.live()) for life in lives])
        except FirstError as error:
            raise AssertionError(f"{name}: {error.subFailure.getTraceback()}") from error.subFailure.value

    def new_life(self, platform: NativePlatform, rng: random.Random) -> Life:
        command = [["sh", "-c", script, MARKER] for script in rng.choice(SCRIPTS)]
        return Life(self, rng, platform.new_engine(self.new_context({"command": command})))

    async def nothing_left(self, platform: NativePlatform, before: Sequence[str], name: str) -> None:
        def left() -> Sequence[str]:
            return [*self.left_of_tasks(), *left_in_launcher(platform), *(Counter(descriptors()) - Counter(before))]

        try:
            await until(lambda: not left(), 5)
        except AssertionError as error:
            raise AssertionError(f"left after {name}: {left()}") from error

    def left_of_tasks(self) -> Sequence[str]:
        """Folders, and processes that are none of ours."""
        left = [process for process in processes() if "launcher/main.py" not in process]
        # Servers for other tests run side by side with these.
        strangers = [process for process in left if process not in self.strangers]
        return [*names_in(self.tasks_dir), *strangers, *processes_with(MARKER)]


def left_in_launcher(platform: NativePlatform) -> Sequence[str]:
    """Supervisors beyond those that may wait, what one holds beyond another, and control groups that have none."""
    supervisors = supervisors_of(platform)
    crowd = [f"{len(supervisors)} supervisors"] if len(supervisors) > MOST_WAITING else []
    held = [Counter(open_in(pid)) - Counter(["/proc/vmstat"]) for pid in supervisors]
    return [*crowd, *(what for one in held for other in held for what in one - other), *empty_groups(supervisors)]


def empty_groups(supervisors: Collection[int]) -> Collection[str]:
    """Control groups of a launcher that none of its supervisors is in."""
    groups = {group for pid in supervisors if (group := group_of(pid))}
    if not groups:
        return []
    folder, prefix = os.path.dirname(min(groups)), os.path.basename(min(groups)).rpartition("_")[0]
    return {os.path.join(folder, name) for name in names_in(folder) if name.startswith(prefix)} - groups


def group_of(pid: int) -> str | None:
    """The path of the control group that a supervisor is in."""
    with open(f"/proc/{pid}/cgroup") as groups, open("/proc/mounts") as mounts:
        (own,) = [line.rstrip().removeprefix("0::") for line in groups if line.startswith("0::")] or ["/"]
        points = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    return points[0] + own if points and "tcworker_" in own else None
