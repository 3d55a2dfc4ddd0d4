"""What strangers, and the tasks of strangers, can do to the web page."""

from __future__ import annotations

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.keys import Keys

from tests.integration.page_case import PageTestCase, in_thread

SCRIPT = b"<!doctype html><title>safe</title><p>an artifact</p><script>document.title = 'ran: ' + origin</script>"


class Authority(PageTestCase):
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
        self.open_in_tab("public/page.html")
        b.sees("an artifact")
        self.assertEqual(b.driver.title, "safe")
        self.assertRaises(WebDriverException, b.js, "return sessionStorage.length")

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
    def test_nobody_becomes_somebody_else_unasked(self) -> None:
        b = self.browser
        self.open(self.me)
        for leave in (f"{self.me.root_url}/#", f"{self.me.root_url}/?again#"):
            # In the same document, and in a new one.
            b.driver.get(f"{leave}clientId=evil&accessToken=known")
            b.sees("has credentials of evil")
            self.assertEqual(b.one("#who").text, self.me.client_id)
            self.assertNotIn("known", b.driver.current_url)
            b.click("button", "Stay")
            b.until(lambda: "evil" not in b.text(), "the question is gone")
        b.driver.get(f"{self.me.root_url}/#clientId=other&accessToken=known")
        b.click("button", "Become other")
        b.until(lambda: b.one("#who").text == "other", "signed in as other")

    @in_thread
    def test_without_a_token_one_can_look_and_sign_in(self) -> None:
        b = self.browser
        self.me.create("public")
        self.open(None)
        b.click("a.row", "public")
        b.click("button", "Cancel")
        b.sees("Only those who are signed in")
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
            self.assertEqual(self._fetch("/api/page/v1/task-groups", "omit"), "TypeError")
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
