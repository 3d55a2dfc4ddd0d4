"""A worker's day in simulated time: what it asks of the queue, and that nothing of it stays behind.

Clock, queue, platform and host are fakes; claims, runs, logs and what asks for statuses are the worker's own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, cast

from bounded import memory, output
from limits import Row, under
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from tcworker.claims.cancellations import CancellationService
from tcworker.claims.service import ClaimService
from tcworker.errors import CallFailed, Unreachable
from tcworker.interfaces import JSON, Credentials, Exit
from tcworker.task.facilities import Facilities
from tcworker.testing.facilities import FakeFacilities
from tcworker.testing.queue import Call

HOUR = 3600.0
AWAY = 600.0
"""Seconds of each fourth hour in which the queue is away."""

CANCELED_SHARE = 0.03
WARM_HOURS = 4
"""After which memory is to stay as it is."""

FLAT = 5.0
"""By how many hundredths it may grow until the end of the day."""

STEPS_OF_TASKS: Sequence[Sequence[Mapping[str, Any]]] = (
    [{"print": "short"}],
    [{"print": "a while"}, {"sleep": 40}, {"print": "done"}],
    [{"sleep": 400}, {"write": {"path": "file", "text": "content"}}],
    [{"sleep": 3000}],
    [{"sleep": 20}, {"exit": 1}],
    [{"ignore_term": True}, {"sleep": 900}],
    [{"sleep": 5}, {"error": {"reason": "resource-unavailable", "message": "no disk"}}],
)


class Host:
    """A host that never wants the worker to go."""

    def credentials(self) -> Credentials:
        """See L{tcworker.host.service.HostService}."""
        return Credentials("worker", "secret")

    def on_credentials(self, call: object) -> None:
        """See L{tcworker.host.service.HostService}; there are never new ones."""

    def should_shut_down_now(self, idle_seconds: float) -> Deferred[bool]:
        """See L{tcworker.host.service.HostService}."""
        return succeed(False)


class Life:
    """A worker that always has something to do, from its boot until it is stopped.

    @ivar calls: how often each call of the queue was made.
    """

    def __init__(self, folder: Path, capacity: int, payloads: Iterator[JSON]) -> None:
        self.clock = Clock()
        # What the machine is short of just now is no part of the day.
        self.facilities = FakeFacilities(self.clock, str(folder), capacity=capacity, disable_oom_protection=True)
        self.calls: Counter[str] = Counter()
        self._payloads = payloads
        self._numbers = count()
        self._canceled: set[str] = set()
        self._chance = Random("a day")
        self._answer()
        host = cast(Any, Host())
        self.claims = ClaimService(self.clock, host, lambda: self._booting, lambda exit: succeed(None))
        self._booting: Deferred[Facilities] = succeed(cast(Facilities, self.facilities))
        self.claims.startService()
        config, queue = self.facilities.config, self.facilities.queue
        self._cancellations = CancellationService(self.clock, config, queue, self.claims.hand)
        self._cancellations.startService()

    def _answer(self) -> None:
        answers = {
            "claim_work": self._claim,
            "reclaim_task": self._reclaim,
            "statuses": self._statuses,
            "status": lambda call: {"status": self._status(call.args[0])},
        }
        for method in ("report_completed", "report_failed", "report_exception"):
            answers[method] = lambda call: {}
        for method, answer in answers.items():
            self.facilities.queue.always(method, lambda call, answer=answer: self._unless_away(answer, call))

    def _unless_away(self, answer: Any, call: Call) -> JSON:
        self.calls[call.method] += 1
        if self.clock.seconds() % (4 * HOUR) > 4 * HOUR - AWAY:
            raise Unreachable(call.method, "away")
        return answer(call)

    def _claim(self, call: Call) -> JSON:
        tasks = []
        for _ in range(call.body["tasks"]):
            task_id = f"task-{next(self._numbers)}"
            if self._chance.random() < CANCELED_SHARE:
                self._canceled.add(task_id)
            tasks.append(self.facilities.claim_answer(next(self._payloads), task_id=task_id))
        return {"tasks": tasks}

    def _reclaim(self, call: Call) -> JSON:
        if call.args[0] in self._canceled:
            raise CallFailed("reclaimTask", 409, "RequestConflict", "it is over")
        return self.facilities.reclaim_answer()

    def _statuses(self, call: Call) -> JSON:
        return {"statuses": [{"taskId": task, "status": self._status(task)} for task in call.body["taskIds"]]}

    def _status(self, task_id: str) -> JSON:
        over = {"state": "exception", "reasonResolved": "canceled"}
        run = over if task_id in self._canceled else {"state": "running"}
        return {"taskId": task_id, "state": run["state"], "runs": [{"runId": 0, **run}]}

    def live(self, seconds: float) -> None:
        """Let time pass, from one timer to the next."""
        end = self.clock.seconds() + seconds
        while (timers := self.clock.getDelayedCalls()) and (due := min(map(_time, timers))) <= end:
            self.clock.advance(max(0.0, due - self.clock.seconds()))
            self._forget()
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def _forget(self) -> None:
        """Throw away what the fakes write down for tests."""
        facilities = self.facilities
        for written in (facilities.queue.calls, facilities.contexts, facilities.memory.written):
            written.clear()
        cast(Any, facilities.platforms[0]).executions.clear()

    def end(self) -> None:
        """Let the worker go as one that has the time to."""
        self.claims.shut_down(300, Exit(0, "the day is over"))
        self.live(HOUR)
        self._cancellations.stopService()
        self.claims.stopService()


def _time(timer: Any) -> float:
    return float(timer.getTime())


def scripts() -> Iterator[JSON]:
    """Payloads of all sorts, without end."""
    chance = Random("scripts")
    while True:
        yield (
            {"script": chance.choice(STEPS_OF_TASKS)}
            if chance.random() > 0.02
            else {"malformed": "it is", "script": []}
        )


def lasting() -> Iterator[JSON]:
    """Payloads of tasks that last, without end."""
    while True:
        yield {"script": [{"sleep": 10 * HOUR}]}


def day(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """Hours of claims: no timer stays, no run is remembered, and memory is flat."""
    # In a process that has done nothing else, whose memory is the worker's own.
    hours = wanted.hours
    found = json.loads(output([sys.executable, __file__, str(folder), str(hours)], folder))
    note = f"{found['claims']} claims, {found['reclaims']} reclaims; {found['memory']:.0f} MB at first"
    yield under(f"{hours} hours of claims, memory's growth", found["growth"], FLAT, "%", note)
    yield under(f"{hours} hours of claims, timers left", found["timers"], 1, "timers")
    yield under(f"{hours} hours of claims, runs not forgotten", found["runs"], 1, "runs")


def _live_through(folder: Path, hours: int) -> Mapping[str, float]:
    life = Life(folder, 8, scripts())
    before = 0.0
    for hour in range(1, hours + 1):
        life.live(HOUR)
        # Each time: how much garbage there is until Python looks for it says nothing of what stays.
        after = _own_memory()
        before = after if hour == min(WARM_HOURS, hours) else before
    life.end()
    return {
        "claims": life.calls["claim_work"],
        "reclaims": life.calls["reclaim_task"],
        "memory": before,
        "growth": 100 * (after / before - 1),
        "timers": len(life.clock.getDelayedCalls()),
        "runs": len(life.facilities.memory.kept) + len(os.listdir(folder / "runs")),
    }


def polling(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """Looking for cancellations costs one call an interval, however many tasks there are."""
    for capacity in (1, 255):
        life = Life(folder / str(capacity), capacity, lasting())
        life._canceled.clear()
        life.live(HOUR / 2)
        before = life.calls["statuses"]
        life.live(HOUR)
        intervals = HOUR / life.facilities.config.status_poll_secs
        asked = (life.calls["statuses"] - before) / intervals
        yield under(f"statuses an interval, {capacity} tasks in hand", asked, 1.1, "calls")
        life.end()


def _own_memory() -> float:
    gc.collect()
    return memory([os.getpid()], "Pss")


if __name__ == "__main__":
    print(json.dumps(_live_through(Path(sys.argv[1]), int(sys.argv[2]))))
