"""Task queues and their workers on the web page."""

from __future__ import annotations

from tests.integration.page_case import PageTestCase, in_thread


class Queues(PageTestCase):
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
    def test_without_a_token_what_everybody_may_know(self) -> None:
        b = self.browser
        for name in ("first", "second"):
            self.me.create(name)
        self.me.claim()
        self.open(None, "#/queues")
        cells = b.until(lambda: [cell.text for cell in b.all("tbody td")], "queues")
        self.assertEqual(cells[:3], ["prov/type", "1", "\N{EN DASH}"])
        b.click("a.row", "prov/type")
        b.one("h2", "Pending 1")
        b.one("h2", "Workers 1")
        b.sees("group/worker-1")
        self.assertNotIn("queue:pending-list", b.text())
        b.click(".sign-in button", "Sign in")
        b.one("#access-token").send_keys(self.me.access_token + "\n")
        b.sees("second")
        b.one("h2", "Claimed 1")
        self.assertEqual(b.all(".sign-in"), [])
        self.fine()
