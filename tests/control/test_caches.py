"""What somebody on its machine can say to a worker about its caches."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from tcworker.control.caches import CacheOrders
from tcworker.control.orders import CLEAR_CACHES, LIST_CACHES, PURGE_CACHE, Order
from tcworker.testing.facilities import NoThreads
from tcworker.waiting import OneShot
from tests.cache.surroundings import CacheCase, make_nothing, silence


class OrderCase(CacheCase):
    def setUp(self) -> None:
        super().setUp()
        self.opened: OneShot[None] = OneShot()
        self.orders = CacheOrders(self.store, self.opened, NoThreads())

    def begin(self, what: str, cache: str = "") -> Deferred[Any]:
        return Deferred.fromCoroutine(self.orders.obey(Order(what, cache=cache))).addCallback(json.loads)

    def do(self, what: str, cache: str = "") -> Any:
        self.opened.succeed(None)
        return self.successResultOf(self.begin(what, cache))

    def listed(self, *keys: str) -> list[Any]:
        return [tuple(cache[key] for key in keys) for cache in self.do(LIST_CACHES)["caches"]]


class BusyThreads:
    """Threads that do their work when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], Any]] = []

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.jobs.append(lambda: done.callback(work(*args)))
        return done


class VeryMany(OrderCase):
    def test_the_reactor_does_not_wait_until_all_are_written_down(self) -> None:
        self.give_back(self.take("one"))
        self.opened.succeed(None)
        threads = BusyThreads()
        self.orders = CacheOrders(self.store, self.opened, threads)
        answer = self.begin(LIST_CACHES)
        self.assertNoResult(answer)
        # What is dated in a thread is as it was when somebody asked.
        self.successResultOf(self.store.clear())
        [job] = threads.jobs
        job()
        self.assertEqual([cache["name"] for cache in self.successResultOf(answer)["caches"]], ["one"])


class Orders(OrderCase):
    def test_list_says_what_there_is(self) -> None:
        self.give_back(self.take("one"))
        self.take("two", "b/0")
        self.successResultOf(self.run_of("c/0").downloaded("url:x", make_nothing, silence))
        self.assertEqual(
            self.listed("kind", "name", "platform", "inUse", "run"),
            [
                ("exclusive", "one", "fake", False, None),
                ("exclusive", "two", "fake", True, "b/0"),
                ("shared", "url:x", "downloads", True, None),
            ],
        )

    def test_list_dates_it_and_says_what_it_cost(self) -> None:
        held = self.take("one")
        self.clock.advance(90)
        held.folder.measured = 4096  # type: ignore[attr-defined]  # of the fake
        self.give_back(held)
        known = ("2027-01-15T08:00:00.000Z", "2027-01-15T08:01:31.000Z", 91.0, 4096)
        self.assertEqual(self.listed("created", "used", "secondsToMake", "bytes"), [known])

    def test_purge_throws_away_what_has_a_name(self) -> None:
        self.give_back(self.take("one"), self.take("two"))
        self.assertEqual(self.do(PURGE_CACHE, "one"), {"said": "1 being removed (0.0 MiB)"})
        self.assertEqual(self.listed("name"), [("two",)])
        self.assertTrue(self.take("one").fresh)

    def test_what_is_in_use_goes_when_it_is_given_back(self) -> None:
        held = self.take("one")
        self.assertEqual(self.do(PURGE_CACHE, "one"), {"said": "1 in use, will be gone when its task ends"})
        self.assertEqual(self.listed("name", "toBePurged"), [("one", True)])
        self.give_back(held)
        self.assertEqual(self.listed("name"), [])

    def test_purge_of_what_is_not_there(self) -> None:
        self.assertEqual(self.do(PURGE_CACHE, "one"), {"said": "there is no cache one"})

    def test_clear_throws_all_away(self) -> None:
        self.give_back(self.take("one"), self.take("two"))
        held = self.successResultOf(self.run_of("c/0").shared("tree", make_nothing, silence))
        self.give_back(held)
        self.assertEqual(self.do(CLEAR_CACHES), {"said": "3 being removed (0.0 MiB)"})
        self.assertEqual(self.do(CLEAR_CACHES), {"said": "nothing is kept"})

    def test_a_worker_that_starts_answers_when_it_knows(self) -> None:
        answer = self.begin(CLEAR_CACHES)
        self.assertNoResult(answer)
        self.give_back(self.take("one"))
        self.opened.succeed(None)
        self.assertIn("1 being removed", self.successResultOf(answer)["said"])
