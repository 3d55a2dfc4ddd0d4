"""What tests of the web page have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest import skipUnless

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.integration.browser import CHROMIUM, DRIVER, Browser
from tests.integration.people import Person, person_of
from tests.integration.processes import taskcluster_for


def in_thread(work: Callable[..., None]) -> Callable[..., Deferred[None]]:
    """Make a test of something that blocks."""

    def test(self: TestCase) -> Deferred[None]:
        return deferToThread(work, self)

    test.__name__ = work.__name__
    return test


@skipUnless(CHROMIUM and DRIVER, "there is no chromium or no chromedriver here")
class PageTestCase(TestCase):
    """A server, a browser, and somebody who may do everything."""

    timeout = 90

    async def setUp(self) -> None:
        self.folder = folder = str(Path.cwd() / self.mktemp())
        os.mkdir(folder)
        self.me = person_of(await taskcluster_for(self, f"{folder}/data"))
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

    def open_in_tab(self, name: str) -> None:
        """Open an artifact as people do, and go there."""
        driver = self.browser.driver
        known = driver.window_handles
        self.browser.click("a.row", name)
        [fresh] = self.browser.until(lambda: set(driver.window_handles) - set(known), "a tab is opened")
        driver.switch_to.window(fresh)
