"""Random sequences of calls, against a model of the state machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from unittest import TestCase

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from taskcluster.exceptions import TaskclusterRestFailure

from tests.chances import SOAKING
from tests.conformance.case import METADATA, date, ends, names, new_id, random_name
from tests.conformance.deployment import subject
from tests.conformance.model import OVER, RETRIED, Conflict, ModelQueue, ModelTask, NotFound

PRIORITIES = ("lowest", "very-low", "low", "medium", "high", "very-high", "highest")
REASONS = (*RETRIED, "malformed-payload", "internal-error", "resource-unavailable")

LENGTH = settings(
    max_examples=100 if SOAKING else 12,
    stateful_step_count=80 if SOAKING else 30,
    derandomize=not SOAKING,
    deadline=None,
    database=None,
    # To make a failure shorter takes minutes, with a server on the other side.
    phases=tuple(Phase) if SOAKING else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
)

anyone = precondition(lambda machine: machine.model.tasks)
which = st.integers(0, 99)
run_ids = st.integers(0, 3)


class QueueMachine(RuleBasedStateMachine):
    """Does to a queue what users and workers do, and to the model what the queue should have done."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = subject().services(subject().root).queue
        self.task_queue = f"{random_name('conformance')}/{random_name('w')}"
        self.model = ModelQueue()
        self.dependents: list[tuple[str, ModelTask, str]] = []
        self.released: set[str] = set()

    def _pick(self, number: int) -> ModelTask:
        # The youngest first: they are the ones that things still happen to.
        return self.model.tasks[-1 - number % len(self.model.tasks)]

    def _compare(self, task: ModelTask, change: Callable[[], None], call: Callable[[], Any]) -> None:
        """Do one thing to both; they must agree on the answer and on what has become of the task."""
        wanted = 200
        try:
            change()
        except Conflict:
            wanted = 409
        except NotFound:
            wanted = 404
        assert _status(call) == wanted, (wanted, task)
        self._check(task)
        self._release(task)

    def _check(self, task: ModelTask) -> None:
        status = self.queue.status(task.task_id)["status"]
        assert ends(status) == task.ends, (ends(status), task)
        seen = (status["state"], status["retriesLeft"], status["priority"])
        assert seen == (task.state, task.retries_left, PRIORITIES[task.priority]), (seen, task)

    def _release(self, task: ModelTask) -> None:
        """Note which tasks no longer wait: once satisfied they are so for good."""
        for task_id, needed, requires in self.dependents:
            if needed is task and task.state in (OVER if requires == "all-resolved" else ["completed"]):
                self.released.add(task_id)

    def _define(self, priority: int = 0, retries: int = 5, **more: Any) -> dict[str, Any]:
        own = {"taskQueueId": self.task_queue, "payload": {}, "metadata": METADATA}
        dates = {"created": date(), "deadline": date(hours=1), "expires": date(hours=2)}
        return {**own, **dates, "priority": PRIORITIES[priority], "retries": retries, **more}

    @rule(retries=st.sampled_from([0, 1, 5, 49]), priority=st.integers(0, 6))
    def create(self, retries: int, priority: int) -> None:
        task = self.model.add(new_id(), retries, priority)
        definition = self._define(priority, retries)
        self._compare(task, task.schedule, lambda: self.queue.createTask(task.task_id, definition))

    @anyone
    @rule(number=which, requires=st.sampled_from(["all-completed", "all-resolved"]))
    def create_dependent(self, number: int, requires: str) -> None:
        """One that waits, and that nobody will claim."""
        needed, task_id = self._pick(number), new_id()
        # Of one that was over and runs again, a queue may still be telling that it is over.
        if needed.ever_resolved and needed.state not in OVER:
            return
        waiting = {"taskQueueId": "conformance/nobody", "dependencies": [needed.task_id], "requires": requires}
        self.queue.createTask(task_id, self._define(**waiting))
        self.dependents.append((task_id, needed, requires))
        self._release(needed)

    @precondition(lambda self: self.model.pending)
    @rule(most=st.integers(1, 3))
    def claim(self, most: int) -> None:
        wanted = [(task.task_id, len(task.runs) - 1) for task in self.model.take(most)]
        asked = {"workerGroup": "conformance", "workerId": "sequences", "tasks": most}
        claims = self.queue.claimWork(self.task_queue, asked)["tasks"]
        assert [(claim["status"]["taskId"], claim["runId"]) for claim in claims] == wanted, (claims, wanted)

    @anyone
    @rule(number=which, run_id=run_ids, state=st.sampled_from(["completed", "failed"]))
    def report(self, number: int, run_id: int, state: str) -> None:
        task = self._pick(number)
        call = self.queue.reportCompleted if state == "completed" else self.queue.reportFailed
        self._compare(task, lambda: task.report(run_id, state), lambda: call(task.task_id, run_id))

    @anyone
    @rule(number=which, run_id=run_ids, reason=st.sampled_from(REASONS))
    def report_exception(self, number: int, run_id: int, reason: str) -> None:
        task = self._pick(number)
        self._compare(
            task,
            lambda: task.report_exception(run_id, reason),
            lambda: self.queue.reportException(task.task_id, run_id, {"reason": reason}),
        )

    @precondition(lambda self: any(task.state == "running" for task in self.model.tasks))
    @rule(number=which, reason=st.sampled_from(REASONS))
    def end_what_runs(self, number: int, reason: str) -> None:
        """What a worker does: it knows which run it has."""
        running = [task for task in self.model.tasks if task.state == "running"]
        task = running[number % len(running)]
        run_id = len(task.runs) - 1
        self._compare(
            task,
            lambda: task.report_exception(run_id, reason),
            lambda: self.queue.reportException(task.task_id, run_id, {"reason": reason}),
        )

    @anyone
    @rule(number=which, run_id=run_ids)
    def reclaim(self, number: int, run_id: int) -> None:
        task = self._pick(number)
        self._compare(task, lambda: task.reclaim(run_id), lambda: self.queue.reclaimTask(task.task_id, run_id))

    @anyone
    @rule(number=which, verb=st.sampled_from(["schedule", "rerun", "cancel"]))
    def by_user(self, number: int, verb: str) -> None:
        task = self._pick(number)
        call = getattr(self.queue, f"{verb}Task")
        self._compare(task, getattr(task, verb), lambda: call(task.task_id))

    @precondition(lambda self: any(not task.ever_resolved for task in self.model.tasks))
    @rule(number=which, priority=st.integers(0, 6))
    def change_priority(self, number: int, priority: int) -> None:
        # The real queue may take some seconds to notice that a task was resolved, and until then lets it be changed.
        unresolved = [task for task in self.model.tasks if not task.ever_resolved]
        task = unresolved[number % len(unresolved)]
        asked = {"newPriority": PRIORITIES[priority]}
        self._compare(
            task,
            lambda: task.change_priority(priority),
            lambda: self.queue.changeTaskPriority(task.task_id, asked),
        )

    @rule()
    def count(self) -> None:
        told = self.queue.taskQueueCounts(self.task_queue)
        running = [task for task in self.model.tasks if task.state == "running"]
        assert (told["pendingTasks"], told["claimedTasks"]) == (len(self.model.pending), len(running)), told
        listed = names(self.queue.listPendingTasks(self.task_queue)["tasks"])
        by_age = sorted(self.model.pending, key=lambda task: task.inserted)
        assert listed == [task.task_id for task in by_age], (listed, by_age)

    def teardown(self) -> None:
        """Those who waited for what is over are released, and nobody else; nothing is left behind."""
        for task_id in self.released:
            _until(lambda task_id=task_id: self.queue.status(task_id)["status"]["state"] == "pending")
        for task_id, _, _ in self.dependents:
            state = self.queue.status(task_id)["status"]["state"]
            assert state == ("pending" if task_id in self.released else "unscheduled"), (state, task_id)
            self.queue.cancelTask(task_id)
        for task in self.model.tasks:
            self.queue.cancelTask(task.task_id)


def _status(call: Callable[[], Any]) -> int:
    try:
        call()
    except TaskclusterRestFailure as error:
        return int(error.status_code)
    return 200


def _until(look: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not look():
        assert time.monotonic() < end, "a task that waits for nothing any more is not scheduled"
        time.sleep(0.05)


class Sequences(TestCase):
    def test_a_queue_does_as_its_table_says(self) -> None:
        run_state_machine_as_test(QueueMachine, settings=LENGTH)
