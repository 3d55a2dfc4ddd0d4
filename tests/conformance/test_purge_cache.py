"""Requests to purge caches (contracts of the queue, 5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.conformance.case import ConformanceTestCase, date, names, when
from tests.conformance.deployment import hasty

SEEN_WITHIN = 15
"""Seconds: the real one remembers for ten what it has read."""


class PurgeRequests(ConformanceTestCase):
    choose = staticmethod(hasty)

    def setUp(self) -> None:
        super().setUp()
        self.purge_cache = self.root.purge_cache

    def purge(self, name: str) -> Any:
        return self.purge_cache.purgeCache(self.task_queue, {"cacheName": name})

    def requests(self, **query: str) -> list[Any]:
        return self.purge_cache.purgeRequests(params={"workerPoolId": self.task_queue}, query=query)["requests"]

    def test_what_is_asked_for(self) -> None:
        self.assertIsNone(self.purge("one"))
        provisioner_id, worker_type = self.task_queue.split("/")
        [request] = self.requests()
        self.assertEqual(
            {name: request[name] for name in request if name != "before"},
            {"provisionerId": provisioner_id, "workerType": worker_type, "cacheName": "one"},
        )
        self.assertLess(abs(when(request["before"]) - when(date())), 60)

    def test_asking_again_counts_from_now(self) -> None:
        self.purge("one")
        [before] = self.requests()
        self.purge("one")
        self.eventually(lambda: self.requests()[0]["before"] > before["before"], seconds=SEEN_WITHIN)
        self.assertEqual(len(self.requests()), 1)

    def test_since_when(self) -> None:
        self.purge("one")
        [request] = self.requests()
        self.assertEqual(len(self.requests(since=request["before"])), 1)
        self.assertEqual(self.requests(since=date(minutes=10)), [])
        self.assertEqual(len(self.requests(since=date(minutes=-10))), 1)
        self.assertEqual(len(self.requests(since="2020-01-01")), 1)
        target = f"/api/purge-cache/v1/purge-cache/{quote(self.task_queue, safe='')}?since=soon"
        self.assertRefused(self.call("GET", target), "InvalidRequestArguments")

    def test_one_pool_s_are_not_another_s(self) -> None:
        self.purge("one")
        other = self.purge_cache.purgeRequests(self.task_queue + "x")
        self.assertEqual(other, {"requests": []})

    def test_all_of_them(self) -> None:
        for name in ("b", "a"):
            self.purge(name)
        seen: list[Any] = []
        self.purge_cache.allPurgeRequests(
            paginationLimit=2, paginationHandler=lambda page: seen.extend(page["requests"])
        )
        own = [request for request in seen if f"{request['provisionerId']}/{request['workerType']}" == self.task_queue]
        self.assertEqual(sorted(names(own, "cacheName")), ["a", "b"])

    def test_who_may(self) -> None:
        with self.refused("InsufficientScopes"):
            self.limited().purge_cache.purgeCache(self.task_queue, {"cacheName": "one"})
        some = self.limited(f"purge-cache:{self.task_queue}:one").purge_cache
        some.purgeCache(self.task_queue, {"cacheName": "one"})
        with self.refused("InsufficientScopes"):
            some.purgeCache(self.task_queue, {"cacheName": "two"})
        # Two colons.
        self.limited(f"purge-cache:purge-requests::{self.task_queue}").purge_cache.purgeRequests(self.task_queue)

    def test_what_must_be_said(self) -> None:
        for body in ({}, {"cacheName": 1}, {"cacheName": "one", "more": 1}):
            with self.refused("InputValidationError"):
                self.purge_cache.purgeCache(self.task_queue, body)
