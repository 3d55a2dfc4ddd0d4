"""Bodies: what is read of them, and what is refused."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import slugid
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.faults import ApiError
from tcworker.embedded.numbers import up_to
from tcworker.embedded.payload import BODY_LIMIT, DEEPEST, take
from tcworker.embedded.sameness import same
from tests.embedded.wire import QUEUE, Answer, WireTestCase

TYPE = "application/json"


def parsed(content: bytes) -> Any:
    return take(content, TYPE, "")[1]


class Reading(SynchronousTestCase):
    def refused(self, content: bytes, encoding: str = "", code: str = "MalformedPayload") -> None:
        error = self.assertRaises(ApiError, take, content, TYPE, encoding)
        self.assertEqual(error.code, code, content[:50])

    def test_text_is_utf_8(self) -> None:
        self.assertEqual(parsed(b'\xef\xbb\xbf{"a": "\xc3\xa4"}'), {"a": "ä"})
        for encoding in ("utf-16", "utf-16-le", "utf-32"):
            self.refused('{"a": 1}'.encode(encoding))
        self.refused(b'{"a": "\xff"}')

    def test_half_a_character_is_none(self) -> None:
        for content in (b'{"a": "n\\ud800"}', b'{"\\uDFFF": 1}', b'[{"a": ["\\udc00\\ud83d"]}]'):
            self.refused(content)
        self.assertEqual(parsed(b'{"a": "\\ud83d\\ude00", "b": "\\\\ud800"}'), {"a": "😀", "b": "\\ud800"})

    def test_nul_is_refused_and_what_looks_like_it_is_not(self) -> None:
        for content in (b'{"a": "\\u0000"}', b'{"\\u0000": 1}', b'{"a": "\\\\\\u0000"}'):
            self.refused(content)
        self.assertEqual(parsed(b'{"a": "\\\\u0000"}'), {"a": "\\u0000"})

    def test_numbers_are_those_of_json(self) -> None:
        for content in (b"[1e400]", b"[-1e400]", b"[NaN]", b"[Infinity]", b"[" + b"9" * 5000 + b"]"):
            self.refused(content)
        read = parsed(b"[1.0, 1e3, -0.0, 1.5, 1e300]")
        self.assertEqual(json.dumps(read), "[1, 1000, 0, 1.5, 1e+300]")

    def test_depth_has_an_end(self) -> None:
        for content in (b"[" * DEEPEST + b"]" * DEEPEST, b"[" + b"[]," * 5000 + b"[]]"):
            parsed(content)
        for more in (1, 500, 100_000):
            self.refused(b"[" * (DEEPEST + more) + b"]" * (DEEPEST + more))

    def test_what_is_packed_is_unpacked(self) -> None:
        for encoding, packed in (("gzip", gzip.compress(b'{"a": 1}')), ("deflate", zlib.compress(b'{"a": 1}'))):
            self.assertEqual(take(packed, TYPE, encoding), (b'{"a": 1}', {"a": 1}))
        for encoding, content in (("br", b"x"), ("gzip, gzip", packed), ("gzip", b"{}"), ("gzip", packed[:-3])):
            self.refused(content, encoding)

    def test_what_is_packed_has_the_same_limit(self) -> None:
        self.refused(gzip.compress(b" " * (BODY_LIMIT + 1) + b"{}"), "gzip", "InternalServerError")
        self.refused(gzip.compress(b" " * (20 * BODY_LIMIT)), "gzip", "InternalServerError")


class Calls(WireTestCase):
    def put(self, content: bytes, **headers: str) -> Answer:
        target = f"{QUEUE}/task/{slugid.nice()}"
        signature = self.sign("PUT", target, gzip.decompress(content) if headers else content, self.root)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("PUT", target, content, {"Content-Type": TYPE, "Authorization": signature, **named}).answer()

    def test_the_signature_is_of_what_was_packed(self) -> None:
        content = gzip.compress(json.dumps(self.definition()).encode())
        self.assertEqual(self.put(content, Content_Encoding="GZIP").status, 200)

    def test_half_a_character_breaks_nobodys_list(self) -> None:
        name = {"name": "n\ud800", "description": "d", "owner": "o", "source": "https://a.test"}
        answer = self.put(json.dumps(self.definition(metadata=name)).encode())
        self.assertEqual((answer.status, answer.code), (400, "MalformedPayload"))
        self.assertEqual(self.call("GET", "/api/page/v1/task-groups").json, {"taskGroups": []})

    def test_of_another_type_one_may_be_long(self) -> None:
        answer = self.send("GET", f"{QUEUE}/ping", b"x" * (BODY_LIMIT + 2), {"Content-Type": "text/plain"}).answer()
        self.assertEqual(answer.status, 200)

    def test_a_task_is_not_the_same_when_a_number_becomes_true(self) -> None:
        task_id = str(slugid.nice())
        for given, status in ((1, 200), (1.0, 200), (True, 409), (1, 200)):
            body = self.definition(payload={"a": [{"b": given}]})
            self.assertEqual(self.call("PUT", f"{QUEUE}/task/{task_id}", body).status, status)


class Values(SynchronousTestCase):
    def test_the_same(self) -> None:
        deep: Any = []
        for _ in range(DEEPEST):
            deep = [deep]
        for one, other in ((1, 1.0), ({"a": 1, "b": [True]}, {"b": [True], "a": 1}), (None, None), (deep, [*deep])):
            self.assertTrue(same(one, other))

    def test_not_the_same(self) -> None:
        for one, other in (
            (1, True),
            (False, 0),
            ([1], [1, 1]),
            ({"a": [0]}, {"a": [False]}),
            ({}, []),
            ({"a": 1}, {}),
        ):
            self.assertFalse(same(one, other), (one, other))

    def test_numbers_of_any_length(self) -> None:
        for digits, number in (
            ("", 0),
            ("007", 7),
            ("100", 100),
            ("101", 100),
            ("9" * 5000, 100),
            ("0" * 5000 + "1", 1),
        ):
            self.assertEqual(up_to(100, digits), number)


class Limits(WireTestCase):
    """What is at the edge of numbers and dates is refused, or kept and given back."""

    def test_runs_that_are_not_there(self) -> None:
        task_id = self.create()
        for run_id in ("1", "9" * 30, "9" * 5000):
            run = f"{QUEUE}/task/{task_id}/runs/{run_id}"
            for method, path in (
                ("GET", "artifacts/public/a"),
                ("GET", "artifact-info/public/a"),
                ("POST", "completed"),
            ):
                answer = self.call(method, f"{run}/{path}")
                self.assertEqual((answer.status, answer.code), (404, "ResourceNotFound"), path)

    def test_artifacts_have_names_of_a_thousand_characters(self) -> None:
        path, own = self.run_of_own()
        link = {"storageType": "link", "artifact": "a", "expires": self.date(minutes=30)}
        for length, status in ((1024, 200), (1025, 400)):
            answer = self.call("POST", f"{QUEUE}{path}/artifacts/{'a' * length}", link, own)
            self.assertEqual(answer.status, status)

    def test_a_forwarded_port_is_anybodys_word(self) -> None:
        for port in ("²", "99999999999", "9" * 5000, "-1"):
            answer = self.send("GET", f"{QUEUE}/ping", headers={"X-Forwarded-Port": port}).answer()
            self.assertIn(answer.status, (200, 421))

    def test_a_namespace_of_the_last_day(self) -> None:
        entry = {"taskId": str(slugid.nice()), "rank": 0, "data": {}, "expires": "9999-12-31T23:59:59.999Z"}
        self.assertEqual(self.call("PUT", "/api/index/v1/task/a.b", entry).status, 200)
        [namespace] = self.call("GET", "/api/index/v1/namespaces").json["namespaces"]
        self.assertEqual(namespace["expires"], entry["expires"])

    def test_dates_that_could_not_be_written(self) -> None:
        entry = {"taskId": str(slugid.nice()), "rank": 0, "data": {}, "expires": "9999-12-31T23:59:59-23:00"}
        answer = self.call("PUT", "/api/index/v1/task/a.b", entry)
        self.assertEqual((answer.status, answer.code), (400, "InputValidationError"))

    def test_limits_and_tokens_of_any_length(self) -> None:
        paths = (
            "/api/worker-manager/v1/worker-pool-errors/prov%2Ftype",
            "/api/auth/v1/clients",
            f"{QUEUE}/task-queues",
        )
        for path in paths:
            self.assertEqual(self.call("GET", f"{path}?limit={'9' * 5000}").status, 200)
        for path in paths[:2]:
            answer = self.call("GET", f"{path}?continuationToken={'OTk5' * 10}")
            self.assertEqual((answer.status, answer.code), (400, "InvalidRequestArguments"))
