"""What is read of a request."""

from __future__ import annotations

import json

import slugid

from tests.embedded.wire import QUEUE, WireTestCase

NICE = str(slugid.nice())


class Bodies(WireTestCase):
    def test_a_body_of_another_type(self) -> None:
        answer = self.send("PUT", f"{QUEUE}/task/{NICE}", b"{}", {"Content-Type": "text/plain"}).answer()
        self.assertRefused(answer, 400, "MalformedPayload")

    def test_a_body_that_nobody_asked_for_is_ignored(self) -> None:
        answer = self.call("GET", f"{QUEUE}/task/{NICE}", {"what": "ever"})
        self.assertEqual(answer.code, "ResourceNotFound")

    def test_a_body_over_ten_megabytes(self) -> None:
        content = json.dumps({"x": "y" * (10 << 20)}).encode()
        answer = self.send("PUT", f"{QUEUE}/task/{NICE}", content, {"Content-Type": "application/json"}).answer()
        self.assertRefused(answer, 500, "InternalServerError")

    def test_an_empty_one_of_any_type_is_none(self) -> None:
        answer = self.send("GET", f"{QUEUE}/ping", b"", {"Content-Type": "text/plain"}).answer()
        self.assertEqual(answer.status, 200)


class Queries(WireTestCase):
    def test_a_key_of_the_query_more_than_once(self) -> None:
        group = f"{QUEUE}/task-group/{self.create()}/list"
        for query, code in (("?limit=1&limit=1", 400), ("?limit=1", 200)):
            self.assertEqual(self.call("GET", group + query).status, code)

    def test_an_unknown_key_of_the_query(self) -> None:
        for query, code in (("?x=1", 400), ("?bewit=abc", 200), ("", 200)):
            self.assertEqual(self.send("GET", f"{QUEUE}/ping{query}").answer().status, code)
        self.assertEqual(self.call("GET", f"{QUEUE}/task-group/{NICE}/list?limit=x").code, "InvalidRequestArguments")

    def test_an_encoded_value_is_decoded_before_it_is_checked(self) -> None:
        group = f"{QUEUE}/task-group/{self.create()}/list"
        self.assertEqual(self.call("GET", f"{group}?limit=%31").status, 200)


class SignedAddresses(WireTestCase):
    """Which host and port a signature is for; wire.py signs for taskcluster.test:80."""

    def status(self, **headers: str) -> int:
        target = f"{QUEUE}/task-group/{NICE}/list"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = self.sign("GET", target, b"", self.root)
        return self.send("GET", target, headers=named).answer().status

    def test_those_that_were_called(self) -> None:
        self.assertEqual(self.status(), 404)

    def test_those_that_a_proxy_was_called_by(self) -> None:
        self.assertEqual(self.status(X_Forwarded_Port="80"), 404)
        for forwarded in ({"X_Forwarded_Port": "81"}, {"X_Forwarded_Proto": "https"}, {"X_Forwarded_Port": "no"}):
            self.assertEqual(self.status(**forwarded), 401, forwarded)
