"""A real browser. All of it blocks: for threads only."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
PATIENCE = 15

HASTEN = "{ const later = window.setTimeout; window.setTimeout = (f, ms, ...rest) => later(f, ms / 5, ...rest); }"
"""Has a page wait for a fifth of the time, so that tests need not wait for its next look at the server."""


class Browser:
    """Chromium without a screen.

    @ivar driver: what selenium does with it.
    """

    def __init__(self, profile: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--window-size=1280,900",
            f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP evil.example 127.0.0.1",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HASTEN})

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for something that is true; gives it."""
        waiting: WebDriverWait[Any] = WebDriverWait(
            self.driver, PATIENCE, poll_frequency=0.05, ignored_exceptions=(StaleElementReferenceException,)
        )
        try:
            return waiting.until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"{what}; the page says: {self.text()}") from None

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str, text: str = "") -> WebElement:
        """Wait for an element that has some text."""

        def found() -> WebElement | None:
            return next((one for one in self.all(selector) if text in one.text), None)

        element: WebElement = self.until(found, f"there is no {selector} with {text!r}")
        return element

    def click(self, selector: str, text: str = "") -> None:
        """Click what may be drawn anew at any moment."""

        def clicked() -> bool:
            self.one(selector, text).click()
            return True

        self.until(clicked, f"cannot click {selector}")

    def sees(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.until(lambda: text in self.text(), f"does not show {text!r}")

    def text(self) -> str:
        # Not by the driver, whose own way takes seconds for thousands of lines.
        return str(self.js("return document.body.innerText"))

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def errors(self) -> list[str]:
        """Give what the console holds of scripts' errors and policies that were broken."""
        told = [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [entry["message"] for entry in told if entry["source"] not in ("network",)]
