"""The web page, in a real browser on a real server."""

from __future__ import annotations

import gzip
import json

from selenium.webdriver.common.keys import Keys

from tests.integration.page_case import PageTestCase, in_thread
from tests.integration.people import LiveLog

STORY = "\x1b[31mred\x1b[0m and \x1b[1;38;2;1;2;3mbold\x1b[0m\n<img src=x onerror=\"document.title='ran'\">\n"


class Tasks(PageTestCase):
    @in_thread
    def test_a_task_from_the_list_to_its_end(self) -> None:
        b, log = self.browser, LiveLog()
        try:
            task_id = self.me.create("build")
            self.open(self.me)
            b.click("a.row", "build")
            b.one(".badge", "pending")
            b.sees("No log yet")
            [run] = self.me.claim()
            log.write(STORY)
            run.refer(log.url)
            b.one(".badge", "running")
            self._check_story()
            log.write("more\n")
            b.sees("more")
            self._pause(log)
            self._scroll(log)
            run.upload("public/logs/live_backing.log", log.content + b"the end\n", "text/plain; charset=utf-8")
            run.link("public/logs/live_backing.log")
            log.close()
            run.complete()
            b.one(".badge", "completed")
            b.sees("the end")
            # What was shown already is not shown twice.
            b.sees("Complete · 206 lines")
            b.click("button", "Rerun")
            b.one(".badge", "pending")
            b.click("button", "Cancel")
            b.one(".badge", "canceled")
            b.click(".tabs a", "Runs")
            b.until(lambda: len(b.all("tbody tr")) == 2, "two runs")
            self.assertEqual(len(self.me.queue.status(task_id)["status"]["runs"]), 2)
            self.fine()
        finally:
            log.stop()

    @in_thread
    def test_a_stored_log_that_is_not_what_was_streamed(self) -> None:
        b, log = self.browser, LiveLog()
        try:
            task_id = self.me.create("build")
            [run] = self.me.claim()
            log.write("streamed\n")
            run.refer(log.url)
            self.open(self.me, f"#/task/{task_id}")
            b.one(".line", "streamed")
            run.upload("public/logs/live_backing.log", b"the stored one\n", "text/plain; charset=utf-8")
            run.link("public/logs/live_backing.log")
            run.complete()
            log.close()
            b.sees("Complete · 1 line")
            self.assertEqual([line.text for line in b.all(".line")], ["the stored one"])
        finally:
            log.stop()

    def _check_story(self) -> None:
        b = self.browser
        b.sees("<img src=x onerror=")
        self.assertEqual(b.one(".f1").text, "red")
        self.assertEqual(b.one(".bold").value_of_css_property("color"), "rgba(1, 2, 3, 1)")
        self.assertEqual((b.all(".log img"), b.driver.title), ([], "build · Taskcluster"))

    def _pause(self, log: LiveLog) -> None:
        b = self.browser
        b.click("button", "Pause")
        log.write("while it is paused\n")
        b.sees("1 line waiting")
        self.assertNotIn("while it is paused", b.one(".log").text)
        b.click("button", "Resume")
        b.sees("while it is paused")

    def _scroll(self, log: LiveLog) -> None:
        b = self.browser

        def at_end() -> bool:
            return bool(
                b.js(
                    "const l = document.querySelector('.log'); return l.scrollHeight - l.scrollTop - l.clientHeight < 3"
                )
            )

        log.write("".join(f"line {number}\n" for number in range(200)))
        b.until(lambda: at_end() and "line 199" in b.text(), "is at the end")
        b.js("document.querySelector('.log').scrollTop = 0")
        b.sees("not following")
        log.write("below\n")
        b.sees("205 lines")
        self.assertFalse(at_end())
        b.click("button", "Scroll to the end")
        b.until(at_end, "is at the end again")

    @in_thread
    def test_creating_one_by_keyboard_alone(self) -> None:
        b = self.browser
        self.open(self.me)
        self._press(Keys.TAB)
        self.assertEqual(b.driver.switch_to.active_element.text, "Skip to the content")
        self._tab_to("Create task")
        self._press(Keys.ENTER)
        b.one("h1", "Create a task")
        self._tab_to("", "textarea")
        b.driver.switch_to.active_element.send_keys(Keys.CONTROL, Keys.ENTER)
        b.one("h1", "hello")
        self._tab_to("Cancel", "button")
        self.assertNotEqual(b.driver.switch_to.active_element.value_of_css_property("outline-style"), "none")
        self._press(Keys.SPACE)
        b.one(".badge", "canceled")
        self._tab_to("Definition")
        self._press(Keys.ENTER)
        b.sees("Says hello, in green")
        self.me.create("other")
        self._tab_to("Groups")
        self._press(Keys.ENTER)
        b.one("a.row", "other")
        self._press("j")
        self._press("j")
        self._press("k")
        self.assertEqual(b.driver.switch_to.active_element.text, "other")
        self.fine()

    def _press(self, key: str) -> None:
        self.browser.driver.switch_to.active_element.send_keys(key)

    def _tab_to(self, text: str, tag: str = "a") -> None:
        for _ in range(40):
            self._press(Keys.TAB)
            here = self.browser.driver.switch_to.active_element
            if here.tag_name == tag and text in here.text:
                return
        self.fail(f"the keyboard does not reach {text!r}")

    @in_thread
    def test_what_stays_the_same_is_left_alone(self) -> None:
        b = self.browser
        group = self.me.create("first")
        self.me.create("second", taskGroupId=group)
        self.open(self.me, "#/groups")
        b.one("a.row", "first")
        b.js("document.querySelector('a.row').marked = true; document.querySelector('a.row').focus()")
        self.me.create("third", taskGroupId=group)
        b.sees("3 pending")
        self.assertTrue(b.js("return document.querySelector('a.row').marked"))
        self.me.create("another group")
        b.one("a.row", "another group")
        self.assertEqual(b.driver.switch_to.active_element.text, "first")

    @in_thread
    def test_artifacts_and_resource_use(self) -> None:
        b = self.browser
        task_id = self.me.create("measured")
        [run] = self.me.claim()
        samples = [{"time": second, "cpu": 0.5, "memory": second * 1_000_000, "disk": second} for second in range(20)]
        usage = {"samples": samples, "totals": {"cpu": {"mean": 0.25, "peak": 2}, "disk": 19}}
        run.upload("public/build/monitoring.json", b'{"samples": []}', "application/json")
        run.upload("public/monitoring/resource-usage.json", json.dumps(usage).encode(), "application/json")
        run.upload("private/secret.txt", b"only for some", "text/plain")
        self.open(self.me, f"#/task/{task_id}/resources")
        self.assertEqual(
            [chart.get_attribute("aria-label") for chart in b.until(lambda: b.all("figure svg"), "charts")],
            [
                "Processors: peak 2.00, mean 0.25, over 19 seconds",
                "Memory: peak 19.0 MB, mean 9.5 MB, over 19 seconds",
                "Disk, read and written so far: 19 B in all, over 19 seconds",
            ],
        )
        b.click(".tabs a", "Artifacts")
        self.open_in_tab("private/secret.txt")
        b.sees("only for some")

    @in_thread
    def test_what_no_page_was_made_for(self) -> None:
        b = self.browser
        # More than is read, and next to nothing as it is sent.
        bomb = gzip.compress(b" " * 21_000_000)
        for content, encoding in ((b"{", "identity"), (b"null", "identity"), (bomb, "gzip")):
            task_id = self.me.create("odd", payload={"logs": {"live": ["no name"]}})
            [run] = self.me.claim()
            run.upload("public/resource-usage.json", content, "application/json", encoding)
            self.open(self.me, f"#/task/{task_id}/resources")
            b.sees("holds no samples" if content == b"null" else "cannot be read")
            b.click(".tabs a", "Log")
            b.sees("No log yet")
        self.fine()
