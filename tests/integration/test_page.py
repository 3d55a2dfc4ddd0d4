"""The web page, in a real browser on a real server."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import skipUnless

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.keys import Keys
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tcworker.embedded.taskcluster import DATABASE
from tests.integration.browser import CHROMIUM, DRIVER, Browser, LiveLog, Person, settings_of
from tests.integration.processes import ROOT, Command

STORY = "\x1b[31mred\x1b[0m and \x1b[1;38;2;1;2;3mbold\x1b[0m\n<img src=x onerror=\"document.title='ran'\">\n"
SCRIPT = b"<!doctype html><title>safe</title><p>an artifact</p><script>document.title = 'ran: ' + origin</script>"
LONGEST_CALL = (
    "Math.max(...performance.getEntriesByType('resource')"
    ".filter((entry) => entry.name.includes('/api/')).map((entry) => entry.duration))"
)


def in_thread(work: Callable[..., None]) -> Callable[..., Deferred[None]]:
    """Make a test of something that blocks."""

    def test(self: TestCase) -> Deferred[None]:
        return deferToThread(work, self)

    test.__name__ = work.__name__
    return test


@skipUnless(CHROMIUM and DRIVER, "there is no chromium or no chromedriver here")
class PageCase(TestCase):
    """A server, a browser, and somebody who may do everything."""

    timeout = 90

    async def setUp(self) -> None:
        self.folder = folder = str(Path.cwd() / self.mktemp())
        os.mkdir(folder)
        program = [os.path.basename(sys.executable), "-m", "tests.integration.taskcluster_server", f"{folder}/data"]
        self.server = Command(program, environment={"PYTHONPATH": ROOT})
        self.addCleanup(self.server.kill)
        await self.server.until_printed("}\n")
        self.line = self.server.output.strip().splitlines()[-1]
        self.me = settings_of(self.line)
        self.browser: Browser = await deferToThread(Browser, f"{folder}/profile")
        self.addCleanup(deferToThread, self.browser.driver.quit)

    def open(self, person: Person | None, view: str = "") -> None:
        """Come to the page by the address that a server prints, or without a token."""
        b, url = self.browser, self.me.root_url
        b.driver.get(f"{url}/{person.fragment if person else ''}")
        b.one("h1")
        if view:
            self.go(view)

    def go(self, view: str) -> None:
        self.browser.js("location.hash = arguments[0]", view)

    def fine(self) -> None:
        """Check that nothing went wrong unseen."""
        self.assertEqual(self.browser.errors(), [])


class Tasks(PageCase):
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
    def test_queues_and_workers(self) -> None:
        b = self.browser
        for name in ("first", "second"):
            self.me.create(name)
        self.me.claim()
        self.open(self.me, "#/queues")
        cells = b.until(lambda: [cell.text for cell in b.all("tbody td")], "queues")
        self.assertEqual(cells[:3], ["prov/type", "1", "1"])
        b.click("a.row", "prov/type")
        b.one("h2", "Claimed")
        for text in ("first", "second", "group/worker-1"):
            b.sees(text)
        self.fine()

    @in_thread
    def test_artifacts_and_resource_use(self) -> None:
        b = self.browser
        task_id = self.me.create("measured")
        [run] = self.me.claim()
        samples = ", ".join(f'{{"time": {second}, "cpu": 0.5, "memory": {second * 1_000_000}}}' for second in range(20))
        run.upload("public/monitoring/resource-usage.json", f'{{"samples": [{samples}]}}'.encode(), "application/json")
        run.upload("private/secret.txt", b"only for some", "text/plain")
        self.open(self.me, f"#/task/{task_id}/resources")
        self.assertEqual(
            [chart.get_attribute("aria-label") for chart in b.until(lambda: b.all("figure svg"), "charts")],
            ["Processors: peak 0.50, mean 0.50, over 19 seconds", "Memory: peak 19.0 MB, mean 9.5 MB, over 19 seconds"],
        )
        b.click(".tabs a", "Artifacts")
        self._open_in_tab("private/secret.txt")
        b.sees("only for some")

    @in_thread
    def test_artifacts_have_no_authority(self) -> None:
        b = self.browser
        task_id = self.me.create("made a page")
        [run] = self.me.claim()
        run.upload("public/page.html", SCRIPT, "text/html")
        run.upload("public/code.js", b"document.title = 'ran'", "text/javascript")
        self.open(self.me, f"#/task/{task_id}/artifacts")
        b.one("a.row", "public/code.js")
        importing = "import(arguments[0]).then(() => arguments[1]('ran'), (error) => arguments[1](error.name))"
        stored = str(self.me.queue.getLatestArtifact(task_id, "public/code.js")["url"])
        self.assertEqual(b.driver.execute_async_script(importing, stored), "TypeError")
        b.until(lambda: any("Content Security Policy" in error for error in b.errors()), "the script is refused")
        self._open_in_tab("public/page.html")
        b.sees("an artifact")
        self.assertEqual(b.driver.title, "safe")
        self.assertRaises(WebDriverException, b.js, "return sessionStorage.length")

    def _open_in_tab(self, name: str) -> None:
        driver = self.browser.driver
        known = driver.window_handles
        self.browser.click("a.row", name)
        [fresh] = self.browser.until(lambda: set(driver.window_handles) - set(known), "a tab is opened")
        driver.switch_to.window(fresh)


class ManyAndNarrow(PageCase):
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
            *((f"#/group/{task_id}", name), (f"#/task/{task_id}", "www"), (f"#/task/{task_id}/definition", "Owner")),
            *((f"#/task/{task_id}/artifacts", "live.log"), ("#/queues", "prov/type"), ("#/queue/prov/type", name)),
            ("#/create", "in YAML"),
        ):
            self.go(view)
            b.sees(seen)
            self.assertEqual(b.js("return document.documentElement.scrollWidth"), 320, view)


class Authority(PageCase):
    @in_thread
    def test_the_token_leaves_the_address_for_the_session(self) -> None:
        b = self.browser
        self.open(self.me)
        self.assertEqual(b.driver.current_url, f"{self.me.root_url}/#/groups")
        self.assertIn(self.me.access_token, b.js("return sessionStorage.credentials"))
        self.assertEqual(b.js("return [localStorage.length, document.cookie, history.length]"), [0, "", 2])
        self.assertNotIn(self.me.access_token, b.driver.page_source)
        b.driver.switch_to.new_window("tab")
        self.open(None)
        b.sees("Nobody is signed in")

    @in_thread
    def test_without_a_token_one_can_look_and_sign_in(self) -> None:
        b = self.browser
        self.me.create("public")
        self.open(None)
        b.click("a.row", "public")
        b.click("button", "Cancel")
        b.sees("You are not allowed")
        b.click("#who", "Sign in")
        b.one("#access-token").send_keys("wrong" + Keys.ENTER)
        b.sees("Your credentials are not accepted")
        b.click("#who")
        b.one("#access-token").send_keys(self.me.access_token + Keys.ENTER)
        b.click("button", "Cancel")
        b.one(".badge", "canceled")

    @in_thread
    def test_a_foreign_origin_reads_nothing_that_is_not_public(self) -> None:
        b = self.browser
        self.open(self.me)
        foreign = Foreign()
        try:
            b.driver.switch_to.new_window("tab")
            b.driver.get(foreign.url)
            self.assertEqual(self._fetch("/", "omit"), "TypeError")
            self.assertEqual(self._fetch("/api/secrets/v1/secret/x", "omit"), 403)
            self.assertEqual(self._fetch("/api/queue/v1/ping", "include"), "TypeError")
            self.assertEqual(self._fetch("/api/queue/v1/ping", "omit"), 200)
            b.js(
                "const f = document.createElement('iframe'); f.src = arguments[0]; document.body.append(f)",
                self.me.root_url,
            )
            b.until(lambda: any("frame-ancestors" in error for error in b.errors()), "the frame is refused")
        finally:
            foreign.stop()

    def _fetch(self, path: str, credentials: str) -> Any:
        script = (
            "const [url, credentials, done] = arguments;"
            "fetch(url, {credentials}).then((r) => done(r.status), (error) => done(error.name))"
        )
        return self.browser.driver.execute_async_script(script, self.me.root_url + path, credentials)

    @in_thread
    def test_a_rebound_name_is_refused(self) -> None:
        b = self.browser
        b.driver.get(self.me.root_url.replace("127.0.0.1", "evil.example"))
        b.sees("answers only to its own address")
        self.assertEqual(b.js("return fetch('/api/queue/v1/ping').then((r) => r.status)"), 421)


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


class Foreign:
    """A page of somebody else, on another port."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>foreign</title><body>foreign")

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=partial(self._server.serve_forever, 0.05))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
