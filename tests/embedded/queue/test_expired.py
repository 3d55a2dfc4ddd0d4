"""What is forgotten once it has expired."""

from __future__ import annotations

import sqlite3

from tcworker.embedded import expiry
from tests.embedded.wire import WireTestCase


class Expired(WireTestCase):
    def rows(self) -> dict[str, int]:
        """Count what is kept, by table."""
        tables = ("tasks", "groups", "dependencies", "pending", "claimed", "task_queues", "queue_workers")
        connection = sqlite3.connect(f"{self.folder}/taskcluster.db")
        self.addCleanup(connection.close)
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}

    def short(self, **more: object) -> str:
        return self.create(deadline=self.date(minutes=1), expires=self.date(minutes=2), **more)

    def test_a_task_with_whatever_only_it_has(self) -> None:
        first = self.short()
        self.short(dependencies=[first])
        self.claim()
        kept = self.create()
        self.reactor.advance(3 * 1800)
        self.refused("queue", 404, "ResourceNotFound", "GET", f"/task/{first}/status")
        self.refused("queue", 404, "ResourceNotFound", "GET", f"/task-group/{first}")
        self.assertEqual(self.status(kept)["taskId"], kept)
        rows = self.rows()
        self.assertEqual([rows[table] for table in ("tasks", "groups", "dependencies", "claimed")], [1, 1, 0, 0])

    def test_not_before_half_an_hour_later(self) -> None:
        task_id = self.short()
        self.reactor.advance(1800)
        self.assertEqual(self.status(task_id)["taskId"], task_id)

    def test_any_number(self) -> None:
        self.patch(expiry, "ROWS_AT_ONCE", 2)
        for _ in range(5):
            self.short()
        self.reactor.advance(3 * 1800)
        self.assertEqual((self.rows()["tasks"], self.rows()["groups"]), (0, 0))

    def test_workers_after_a_day_and_task_queues_after_five(self) -> None:
        self.create(deadline=self.date(days=1), expires=self.date(days=9))
        self.claim()
        self.reactor.advance(86_400 + 3 * 1800)
        self.assertEqual([self.rows()[table] for table in ("queue_workers", "task_queues")], [0, 1])
        self.reactor.advance(4 * 86_400 + 3 * 1800)
        self.assertEqual([self.rows()[table] for table in ("queue_workers", "task_queues")], [0, 0])
