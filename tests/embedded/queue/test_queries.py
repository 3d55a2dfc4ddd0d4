"""How SQLite goes about what the queue asks of it: no call looks through a whole table."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import contents
from tcworker.embedded.queue.artifact_store import Artifact, ArtifactStore
from tcworker.embedded.queue.dependency_store import DependencyStore
from tcworker.embedded.queue.expired import EXPIRED
from tcworker.embedded.queue.group_store import GroupStore
from tcworker.embedded.queue.open_run_store import OpenRunStore
from tcworker.embedded.queue.overview_store import OverviewStore
from tcworker.embedded.queue.states import Task, claim, report, schedule
from tcworker.embedded.queue.store import SCHEMA, Entry, Store
from tcworker.embedded.queue.worker_store import WorkerKey, WorkerStore

BARE = Task("t", "p/w", "-", "none", "g", "low", 100, 200, 5, 5, "all-completed")
PENDING = schedule(BARE, 1)
RUNNING = claim(PENDING, 0, "g", "w", 2, 50)
COMPLETED = report(RUNNING, 0, "completed", 3)
WORKER = WorkerKey("p/w", "g", "w")

Question = Callable[[Store], Any]

OF_TASKS: list[Question] = [
    lambda store: store.add_task(BARE, {"tags": {}, "routes": []}),
    lambda store: store.change_task(BARE, PENDING),
    lambda store: store.change_task(PENDING, RUNNING),
    lambda store: store.change_task(RUNNING, COMPLETED),
    lambda store: store.task("t"),
    lambda store: store.definition("t"),
    lambda store: store.size("t"),
    lambda store: store.about("t"),
    lambda store: store.put_on_agenda(Entry(1, "claim", "t")),
    lambda store: store.take_from_agenda(5, 10),
    lambda store: store.next_on_agenda(),
]
OF_THE_BACKLOG: list[Question] = [
    lambda store: store.open_runs.next("p/w", 1, 5),
    lambda store: store.open_runs.count("p/w", 1),
    lambda store: store.open_runs.list_pending("p/w", 1, 0, 5),
    lambda store: store.open_runs.list_claimed("p/w", 0, 5),
    lambda store: store.open_runs.claimed_by("p/w", "g", "w"),
]
OF_GROUPS: list[Question] = [
    lambda store: store.groups.join("g", "-", 5),
    lambda store: store.groups.find("g"),
    lambda store: store.groups.seal("g", 5),
    lambda store: store.groups.size("g"),
    lambda store: store.groups.tasks("g", "", 5),
    lambda store: store.groups.unresolved("g", "", 5),
]
OF_DEPENDENCIES: list[Question] = [
    lambda store: store.dependencies.add(BARE, ["r"]),
    lambda store: store.dependencies.unfit(BARE),
    lambda store: store.dependencies.waits("t"),
    lambda store: store.dependencies.waiting_for(COMPLETED.task_id, COMPLETED.state, 5),
    lambda store: store.dependencies.satisfy("r", "t"),
    lambda store: store.dependencies.dependents("r", "", 5),
]
OF_WORKERS: list[Question] = [
    lambda store: store.workers.saw(WORKER, 1),
    lambda store: store.workers.is_quarantined(WORKER, 1),
    lambda store: store.workers.add_recent(WORKER, {}),
    lambda store: store.workers.declare(WORKER, 10**12),
    lambda store: store.workers.quarantine(WORKER, 5, []),
    lambda store: store.workers.find(WORKER, 1),
    lambda store: store.workers.of_queue("p/w", 1, ("", ""), 5, "true"),
    lambda store: store.workers.find_queue("p/w", 1),
    lambda store: store.workers.queues("p/", 1, "", 5),
]
OF_ARTIFACTS: list[Question] = [
    lambda store: store.artifacts.put(Artifact("t", 0, "a", "s3", "text/plain", 5, 50, {})),
    lambda store: store.artifacts.find("t", 0, "a"),
    lambda store: store.artifacts.of_run("t", 0, "", 5),
]
OF_OVERVIEWS: list[Question] = [
    lambda store: store.overview.groups(5, 10),
    lambda store: store.overview.group("g"),
    lambda store: store.overview.states("g"),
    lambda store: store.overview.tasks("g", None, 0, 5),
    lambda store: store.overview.tasks("g", "pending", 0, 5),
]
OF_EXPIRY: list[Question] = [partial(lambda job, store: job(store.connection, 500, 10), job) for job in EXPIRED]

ALL = (
    OF_TASKS,
    OF_THE_BACKLOG,
    OF_GROUPS,
    OF_DEPENDENCIES,
    OF_WORKERS,
    OF_ARTIFACTS,
    OF_OVERVIEWS,
    OF_EXPIRY,
)
STORES = (Store, OpenRunStore, GroupStore, DependencyStore, WorkerStore, ArtifactStore, OverviewStore)


def crossing_out(method: Callable[..., Any], left: set[str]) -> Callable[..., Any]:
    """Give what does the same, and is not left over any more once it is called."""

    def call(*args: Any) -> Any:
        left.discard(method.__qualname__)
        return method(*args)

    return call


class Plans(SynchronousTestCase):
    def plans_of(self, questions: list[Question]) -> list[str]:
        """Ask, and give each step of each plan by which SQLite finds what was asked for."""
        asked: list[str] = []
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.executescript(contents.SCHEMA + SCHEMA)
            store = Store(connection)
            for question in (*OF_TASKS[:2], OF_GROUPS[0], OF_WORKERS[0]):
                question(store)
            connection.executescript("DELETE FROM tasks; DELETE FROM pending;")
            connection.set_trace_callback(asked.append)
            for question in questions:
                question(store)
            connection.set_trace_callback(None)
            return [row["detail"] for one in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {one}")]

    def test_everything_that_can_be_asked_is_asked(self) -> None:
        left: set[str] = set()
        for store in STORES:
            for name, method in vars(store).items():
                if inspect.isfunction(method) and not name.startswith("_"):
                    left.add(method.__qualname__)
                    self.patch(store, name, crossing_out(method, left))
        for questions in ALL:
            self.plans_of(questions)
        self.assertEqual(left, set())

    def test_none_is_a_search_of_everything(self) -> None:
        for questions in ALL:
            plans = self.plans_of(questions)
            self.assertNotEqual(plans, [])
            self.assertEqual([step for step in plans if step.startswith("SCAN") and "CONSTANT" not in step], [])

    def test_none_sorts_what_could_be_read_in_order(self) -> None:
        for questions in ALL:
            self.assertEqual([step for step in self.plans_of(questions) if "TEMP B-TREE" in step], [])

    def test_counting_and_handing_out_need_no_more_than_an_index(self) -> None:
        handed, pending, claimed = self.plans_of(OF_THE_BACKLOG[:2])
        self.assertIn("pending_in_order", handed)
        self.assertIn("COVERING INDEX pending_in_order", pending)
        self.assertIn("COVERING INDEX claimed_by_age", claimed)

    def test_who_still_waits_is_found_without_those_who_did(self) -> None:
        plans = self.plans_of(OF_DEPENDENCIES[3:4])
        self.assertIn("unsatisfied_by", plans[0])

    def test_what_is_not_over_in_a_group_is_found_without_the_rest(self) -> None:
        [plan] = self.plans_of(OF_GROUPS[-1:])
        self.assertIn("unresolved_of_group", plan)
