"""What all answers have in common."""

from __future__ import annotations

import gzip
import json

from tests.embedded.wire import QUEUE, WireTestCase


class Headers(WireTestCase):
    def test_those_for_the_page_are_for_no_other_site(self) -> None:
        for method in ("GET", "OPTIONS"):
            answer = self.send(method, "/api/page/v1/task-groups").answer()
            self.assertEqual([name for name in answer.headers if name.startswith("access-control")], [])

    def test_pages_of_elsewhere_may_read_every_answer(self) -> None:
        for target in (f"{QUEUE}/ping", f"{QUEUE}/nothing", f"{QUEUE}/task/AAAAAAAAQAGAAAAAAAAAAA"):
            self.assertEqual(self.send("GET", target).answer().headers["access-control-allow-origin"], "*")

    def test_nothing_is_kept_by_caches_or_taken_for_a_page(self) -> None:
        headers = self.send("GET", f"{QUEUE}/ping").answer().headers
        self.assertIn("no-store", headers["cache-control"])
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertIn("default-src 'none'", headers["content-security-policy"])

    def test_the_length_is_said(self) -> None:
        answer = self.send("GET", f"{QUEUE}/ping").answer()
        self.assertEqual(answer.headers["content-length"], str(len(answer.content)))

    def test_a_trace_is_taken_up(self) -> None:
        answer = self.send("GET", f"{QUEUE}/ping", headers={"x-taskcluster-trace-id": "abc"}).answer()
        self.assertEqual(answer.headers["x-for-trace-id"], "abc")
        self.assertEqual(len(answer.headers["x-for-request-id"]), 36)


class Compression(WireTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.target = f"{QUEUE}/task/{self.create(payload={'long': 'x' * 20_000})}"

    def test_for_who_can_read_it(self) -> None:
        answer = self.send("GET", self.target, headers={"Accept-Encoding": "deflate, gzip;q=0.5"}).answer()
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertLess(len(answer.content), 2000)
        plain = self.send("GET", self.target).answer()
        self.assertEqual(json.loads(gzip.decompress(answer.content)), plain.json)

    def test_not_for_others_and_not_for_short_answers(self) -> None:
        for target, wanted in ((self.target, "br"), (self.target, "gzip;q=0"), (f"{QUEUE}/ping", "gzip")):
            answer = self.send("GET", target, headers={"Accept-Encoding": wanted}).answer()
            self.assertNotIn("content-encoding", answer.headers)
            self.assertEqual(answer.status, 200)

    def test_caches_are_told_that_it_depends(self) -> None:
        for headers in ({}, {"Accept-Encoding": "gzip"}):
            self.assertEqual(self.send("GET", self.target, headers=headers).answer().headers["vary"], "Accept-Encoding")
