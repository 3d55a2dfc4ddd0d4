"""What all answers have in common."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import answers
from tests.embedded.wire import QUEUE, InThisThread, WireTestCase


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


class Encoding(SynchronousTestCase):
    def test_it_is_json_whatever_it_is(self) -> None:
        for body in (
            {},
            {"a": [1, "ü", None, {"b": []}], "c": {"d": [1.5]}, 'q"': [[]]},
            [1, {"a": 2}],
            [],
            "x",
            3,
            True,
        ):
            self.assertEqual(json.loads(answers.encode(body, packed=False)), body)
        self.assertEqual(answers.encode(None, packed=False), b"")

    def test_what_json_has_no_word_for(self) -> None:
        for body in ({"a": [float("inf")]}, {"a": {"b": float("nan")}}):
            self.assertRaises(ValueError, answers.encode, body, packed=False)

    def test_what_is_long_is_known_without_reading_all_of_it(self) -> None:
        class Unread(list[Any]):
            def __iter__(self) -> Any:
                raise AssertionError("read though it is longer than all that is allowed")

        for body, long in (
            *((None, False), ({"a": "x" * 50}, False), ({"a": ["x" * 50, {"b": "y" * 50}]}, True)),
            *(([[]] * 5, False), ({"a": Unread(range(11))}, True), ("x" * 101, True)),
        ):
            self.assertIs(answers.is_long(body, 100), long, body)


class Threads(WireTestCase):
    def test_long_answers_are_written_in_one(self) -> None:
        short, long = (self.create(payload={"long": "x" * size}) for size in (10, 60_000))
        done: list[Callable[..., Any]] = []

        def run(_: object, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
            done.append(work)
            return execute(work, *args)

        self.patch(InThisThread, "run", run)
        for task_id, times in ((short, 0), (long, 1)):
            self.send("GET", f"{QUEUE}/task/{task_id}").answer()
            self.assertEqual(done.count(answers.encode), times)


class Trouble(WireTestCase):
    """No request stays without an answer, whatever goes wrong."""

    def test_with_what_is_answered(self) -> None:
        self.patch(answers, "_write", lambda value: json.loads("[" * 100_000))
        pending = self.send("GET", f"{QUEUE}/ping")
        self.assertEqual((pending.answer().status, pending.answer().code), (500, "InternalServerError"))
        self.assertEqual(len(self.flushLoggedErrors(RecursionError)), 1)
        self.assertFalse(self.site.channels)

    def test_once_the_answer_has_begun(self) -> None:
        def write(request: Any, *_: object) -> None:
            request.write(b"half")
            raise ValueError("the other half is missing")

        self.patch(answers, "write", write)
        pending = self.send("GET", f"{QUEUE}/ping")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertNotIn(b"500", pending.content)
        self.assertFalse(self.site.channels)

    def test_with_headers_that_are_no_text(self) -> None:
        for name in (
            b"Accept-Encoding",
            b"X-Taskcluster-Trace-Id",
            b"Content-Type",
            b"Content-Encoding",
            b"X-Forwarded-Port",
            b"If-None-Match",
        ):
            for target in (b"/api/queue/v1/ping", b"/", b"/storage/x", b"/page/main.js"):
                answer = self.bare(
                    b"GET %s HTTP/1.1\r\nHost: taskcluster.test\r\n%s: \xff\xfe\r\n\r\n" % (target, name)
                )
                self.assertNotIn(b" 500 ", answer.splitlines()[0], (name, target))
        answer = self.bare(b"GET /api/queue/v1/scopes HTTP/1.1\r\nHost: \xff\r\n\r\n")
        self.assertIn(b" 421 ", answer.splitlines()[0])
        answer = self.bare(
            b"GET /api/auth/v1/scopes/current HTTP/1.1\r\nHost: taskcluster.test\r\nAuthorization: Hawk \xff\r\n\r\n"
        )
        self.assertIn(b" 401 ", answer.splitlines()[0])
        self.assertEqual(self.flushLoggedErrors(), [])

    def bare(self, request: bytes) -> bytes:
        pending = self.send("GET", f"{QUEUE}/ping")
        before = len(pending.content)
        pending.more(request)
        return pending.content[before:]
