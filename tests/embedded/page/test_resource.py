"""The page's files, and what goes along with them."""

from __future__ import annotations

import re

from tcworker.embedded.page.resource import FOLDER
from tests.embedded.wire import Answer, WireTestCase


class ThePage(WireTestCase):
    def get(self, target: str, method: str = "GET", **headers: str) -> Answer:
        return self.send(
            method, target, headers={name.replace("_", "-"): value for name, value in headers.items()}
        ).answer()

    def test_it_is_at_the_root(self) -> None:
        answer = self.get("/")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(answer.headers["cache-control"], "no-store")
        self.assertIn(b"<main", answer.content)

    def test_all_that_its_files_name_is_there(self) -> None:
        for file in FOLDER.iterdir():
            text = file.read_text()
            named = re.findall(r'(?:href|src)="(/page/[^"]+)"', text) + re.findall(r'from "\./([^"]+)"', text)
            for name in named:
                answer = self.get("/page/" + name.removeprefix("/page/"))
                self.assertEqual(answer.status, 200, f"{name}, which {file.name} names")

    def test_each_file_has_its_type(self) -> None:
        for name, content_type in (
            ("main.js", "text/javascript"),
            ("page.css", "text/css"),
            ("icon.svg", "image/svg+xml"),
        ):
            self.assertTrue(self.get(f"/page/{name}").headers["content-type"].startswith(content_type))

    def test_nothing_from_elsewhere_is_allowed(self) -> None:
        for target in ("/", "/page/main.js", "/page/nothing"):
            headers = self.get(target).headers
            policy = headers["content-security-policy"].split("; ")
            for rule in (
                "default-src 'none'",
                "script-src taskcluster.test:80/page/",
                "style-src taskcluster.test:80/page/",
                "frame-ancestors 'none'",
                "form-action 'none'",
                "base-uri 'none'",
                "require-trusted-types-for 'script'",
            ):
                self.assertIn(rule, policy)
            self.assertNotIn("unsafe", headers["content-security-policy"])
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            # Other origins may read the API, but not the page.
            self.assertNotIn("access-control-allow-origin", headers)

    def test_no_file_has_what_the_policy_forbids(self) -> None:
        for file in FOLDER.iterdir():
            text = file.read_text()
            for forbidden in (
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                " style=",
                "<style",
            ):
                self.assertNotIn(forbidden, text, file.name)
            self.assertEqual(re.findall(r"<script(?! type=\"module\" src=\"/page/)", text), [], file.name)
            self.assertEqual(re.findall(r"\bon\w+=\"", text), [], file.name)

    def test_what_has_not_changed_is_not_sent_again(self) -> None:
        first = self.get("/page/main.js")
        again = self.get("/page/main.js", If_None_Match=first.headers["etag"])
        self.assertEqual((again.status, again.content), (304, b""))

    def test_there_are_no_other_files(self) -> None:
        for target in (
            "/page/",
            "/page/index.html",
            "/page/../resource.py",
            "/page/%2e%2e/resource.py",
            "/page//main.js",
        ):
            self.assertEqual(self.get(target).status, 404, target)

    def test_it_can_only_be_read(self) -> None:
        self.assertEqual(self.get("/", "HEAD").content, b"")
        answer = self.get("/", "POST")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD"))
