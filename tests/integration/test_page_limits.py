"""The web page when there is much to show, or little room."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from tcworker.embedded.folder import DATABASE
from tests.integration.page_case import PageTestCase, in_thread

LONGEST_CALL = (
    "Math.max(...performance.getEntriesByType('resource')"
    ".filter((entry) => entry.name.includes('/api/')).map((entry) => entry.duration))"
)


class ManyAndNarrow(PageTestCase):
    @in_thread
    def test_ten_thousand_tasks(self) -> None:
        b = self.browser
        first = self.me.create("task 0")
        with closing(sqlite3.connect(f"{self.folder}/data/{DATABASE}")) as connection:
            multiply(connection, first, 10_000)
        self.open(self.me, f"#/group/{first}")
        b.one(".filter", "pending 9,997")
        self.assertEqual(len(b.all("tbody tr")), 100)
        self.assertLess(b.js(f"return {LONGEST_CALL}"), 1000)
        b.click("button", "Next")
        b.one("a.row", "task 100")
        b.click(".filter", "failed 3")
        b.until(lambda: len(b.all("tbody tr")) == 3, "three tasks")
        self.go("#/groups")
        b.sees("9,997 pending")
        self.fine()

    @in_thread
    def test_a_log_that_is_larger_than_a_browser_can_show(self) -> None:
        b = self.browser
        task_id = self.me.create("verbose")
        [run] = self.me.claim()
        lines = b"".join(b"\x1b[3%dm%07d\x1b[0m %s\n" % (number % 8, number, b"x" * 80) for number in range(60_000))
        run.upload("public/logs/live.log", lines, "text/plain; charset=utf-8")
        run.complete()
        self.open(self.me, f"#/task/{task_id}")
        b.sees("the last 10,000 of 60,000 lines")
        b.sees("0059999 xxx")
        self.assertLessEqual(b.js("return document.querySelectorAll('.line').length"), 10_000)

    @in_thread
    def test_narrow_screens(self) -> None:
        b = self.browser
        name = "a-very-long-name-without-any-place-to-break-it-" * 3
        task_id = self.me.create(name)
        [run] = self.me.claim()
        run.upload("public/logs/live.log", b"w" * 5000, "text/plain")
        b.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True}
        )
        self.open(self.me)
        for view, seen in (
            ("#/groups", name),
            (f"#/group/{task_id}", name),
            (f"#/task/{task_id}", "www"),
            (f"#/task/{task_id}/definition", "Owner"),
            (f"#/task/{task_id}/artifacts", "live.log"),
            ("#/queues", "prov/type"),
            ("#/queue/prov/type", name),
            ("#/create", "in YAML"),
        ):
            self.go(view)
            b.sees(seen)
            self.assertEqual(b.js("return document.documentElement.scrollWidth"), 320, view)


def multiply(connection: sqlite3.Connection, task_id: str, number: int) -> None:
    """Let there be as many tasks like one, in its group: three of them failed."""
    cursor = connection.execute("SELECT * FROM tasks WHERE task_id = ?", (task_id,))
    columns = [column[0] for column in cursor.description]
    row = dict(zip(columns, cursor.fetchone(), strict=True))

    def other(one: int) -> dict[str, Any]:
        state = "failed" if one < 4 else row["state"]
        definition = row["definition"].replace("task 0", f"task {one}")
        return {**row, "task_id": f"{one:022}", "definition": definition, "state": state}

    values = f"VALUES ({', '.join(f':{column}' for column in columns)})"
    with connection:
        connection.executemany(f"INSERT INTO tasks {values}", [other(one) for one in range(1, number)])
