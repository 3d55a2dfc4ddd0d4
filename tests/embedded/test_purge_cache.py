"""Requests to purge caches: taken, and listed for workers."""

from __future__ import annotations

from typing import Any

from tests.embedded.wire import Answer, WireTestCase

PREFIX = "/api/purge-cache/v1/purge-cache"


class PurgeCache(WireTestCase):
    def purge(self, name: str, pool: str = "prov/type") -> Answer:
        return self.call("POST", f"{PREFIX}/{pool}", {"cacheName": name})

    def requests(self, query: str = "", pool: str = "prov%2Ftype") -> list[tuple[str, str]]:
        answer = self.call("GET", f"{PREFIX}/{pool}{query}")
        self.assertEqual(answer.status, 200, answer.content)
        return [(one["cacheName"], one["before"][11:-1]) for one in answer.json["requests"]]

    def test_it_is_taken_and_listed(self) -> None:
        answer = self.purge("cache")
        self.assertEqual((answer.status, answer.content), (204, b""))
        request = {"provisionerId": "prov", "workerType": "type", "cacheName": "cache"}
        listed = self.call("GET", f"{PREFIX}/prov/type").json
        self.assertEqual(listed, {"requests": [{**request, "before": "2027-01-15T08:00:00.000Z"}]})
        self.assertEqual(self.requests(pool="prov/other"), [])

    def test_a_list_may_be_ten_seconds_old(self) -> None:
        self.requests()
        self.purge("cache")
        self.reactor.advance(10)
        self.assertEqual(self.requests(), [])
        self.reactor.advance(0.1)
        self.assertEqual(self.requests(), [("cache", "08:00:00.000")])

    def test_asking_again_counts_from_now_on(self) -> None:
        self.purge("cache")
        self.reactor.advance(60)
        self.purge("cache")
        self.assertEqual(self.requests(), [("cache", "08:01:00.000")])

    def test_since_a_date_that_is_itself_included(self) -> None:
        self.purge("cache")
        for since in ("2027-01-15T08:00:00.000Z", "2027-01-15", "Fri, 15 Jan 2027 08:00:00 GMT", "1/15/2027"):
            self.assertEqual(len(self.requests(f"?since={since.replace(' ', '%20')}")), 1, since)
        self.assertEqual(self.requests("?since=2027-01-15T08:00:00.001Z"), [])

    def test_since_what_is_no_date(self) -> None:
        for since in ("soon", "", "2027-13-45", "1970-01-01T00:00:00Z", "9" * 400):
            answer = self.call("GET", f"{PREFIX}/prov/type?since={since}")
            self.assertRefused(answer, 400, "InvalidRequestArguments")

    def test_it_lasts_a_day(self) -> None:
        self.purge("cache")
        self.reactor.advance(86_400)
        self.assertEqual(len(self.requests()), 1)
        self.reactor.advance(11)
        self.assertEqual(self.requests(), [])

    def test_all_of_them_in_pages(self) -> None:
        for pool, name in (("b/b", "x"), ("a/a", "z z"), ("a/a", "z")):
            self.purge(name, pool)
        page = self.call("GET", f"{PREFIX}/list?limit=2").json
        self.assertEqual([one["cacheName"] for one in page["requests"]], ["z", "z z"])
        rest = self.call("GET", f"{PREFIX}/list?continuationToken={page['continuationToken']}").json
        self.assertEqual([one["provisionerId"] for one in rest["requests"]], ["b"])
        self.assertNotIn("continuationToken", rest)

    def test_pools_may_have_capitals_here(self) -> None:
        self.assertEqual(self.purge("cache", "Prov/Type_1").status, 204)
        for pool in ("prov", "a/b/c", "prov/.", "list"):
            self.assertEqual(self.purge("cache", pool).code, "InvalidRequestArguments")

    def test_scopes(self) -> None:
        for scope, method, pool, status in (
            ("purge-cache:prov/type:cache", "POST", "prov/type", 204),
            ("purge-cache:prov/type:other", "POST", "prov/type", 403),
            ("purge-cache:purge-requests::prov/type", "GET", "prov/type", 200),
        ):
            own = self.with_scopes(scope)
            body: Any = {"cacheName": "cache"} if method == "POST" else None
            self.assertEqual(self.call(method, f"{PREFIX}/{pool}", body, own).status, status)

    def test_what_must_be_in_it(self) -> None:
        for body in ({}, {"cacheName": 1}, {"cacheName": "x", "y": 1}):
            self.assertEqual(self.call("POST", f"{PREFIX}/prov/type", body).code, "InputValidationError")
