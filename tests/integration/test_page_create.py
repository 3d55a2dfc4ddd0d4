"""Writing a task on the web page."""

from __future__ import annotations

from tests.integration.page_case import PageTestCase, in_thread

HOLD_BACK = """
const fetch = window.fetch;
const held = new Promise((resolve) => (window.letGo = resolve));
window.fetch = async (url, ...more) => {
  if (String(url).endsWith(arguments[0])) await held;
  return fetch(url, ...more);
};
"""
"""Keeps back what is asked of an address until C{letGo()}."""


class Creating(PageTestCase):
    @in_thread
    def test_yaml_that_is_none_and_tasks_that_do_not_fit(self) -> None:
        b = self.browser
        self.open(self.me, "#/create")
        for text, said in (
            ("a: [", "not YAML"),
            ("- a", "keys and values"),
            ("payload: 1", "data.payload"),
            ("a: {$fromNow: x}", "no time from now"),
        ):
            area = b.one("textarea")
            area.clear()
            area.send_keys(text)
            b.click("button", "Create task")
            b.sees(said)
        self.assertEqual(self.me.page("/task-groups")["taskGroups"], [])

    @in_thread
    def test_what_somebody_writes_is_not_overwritten_by_what_comes_late(self) -> None:
        b = self.browser
        task_id = self.me.create("the other one")
        self.open(self.me)
        b.js(HOLD_BACK, f"/task/{task_id}")
        self.go(f"#/create/{task_id}")
        self._write("my own")
        self.go("#/groups")
        self.go("#/create")
        b.js("letGo()")
        self.go(f"#/create/{task_id}")
        b.one("h1", "Create a task")
        self.assertEqual(self._written(), "my own")
        self.fine()

    @in_thread
    def test_a_copy_that_comes_when_nobody_waits_any_more_is_left(self) -> None:
        b = self.browser
        task_id = self.me.create("the other one")
        self.open(self.me, "#/create")
        self._write("my own")
        b.js(HOLD_BACK, f"/task/{task_id}")
        self.go(f"#/create/{task_id}")
        self.go("#/groups")
        b.one("a.row", "the other one")
        b.js("letGo()")
        self.go("#/create")
        b.one("h1", "Create a task")
        self.assertEqual(self._written(), "my own")

    @in_thread
    def test_one_like_another_is_copied_once(self) -> None:
        b = self.browser
        task_id = self.me.create("the other one")
        self.open(self.me, f"#/create/{task_id}")
        b.until(lambda: "the other one" in self._written(), "the copy is there")
        self._write("name: changed")
        self.go(f"#/task/{task_id}")
        b.click("a", "Create one like it")
        b.one("textarea")
        self.assertEqual(self._written(), "name: changed")
        b.click("button", "Take the example")
        b.until(lambda: "Says hello" in self._written(), "the example is there")
        self.go(f"#/task/{task_id}")
        b.click("a", "Create one like it")
        b.until(lambda: "the other one" in self._written(), "a fresh copy is there")

    @in_thread
    def test_the_example_is_for_the_queue_that_was_last_in_use(self) -> None:
        b = self.browser
        self.open(self.me, "#/create")
        self.assertIn("taskQueueId: local/tasks\n", self._written())
        self.me.create("waits")
        self.go("#/groups")
        self.go("#/create")
        b.until(lambda: "taskQueueId: prov/type\n" in self._written(), "another queue")
        # Strangers do not learn which queues there are by this call, and could create nothing anyway.
        b.driver.switch_to.new_window("tab")
        self.open(None, "#/create")
        b.one("textarea")
        self.assertIn("taskQueueId: local/tasks\n", self._written())

    def _write(self, text: str) -> None:
        area = self.browser.one("textarea")
        area.clear()
        area.send_keys(text)

    def _written(self) -> str:
        return str(self.browser.js("return document.querySelector('textarea')?.value ?? ''"))
