"""Clients and roles: over a restart, while they change, and when that fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.auth.clients import Client, StaticClient
from tcworker.embedded.auth.registry import Registry
from tcworker.embedded.auth.roles import Role, Roles
from tcworker.embedded.auth.signatures import Refused
from tcworker.embedded.auth.store import SCHEMA
from tcworker.embedded.faults import ApiError
from tcworker.interfaces import Credentials
from tests.embedded.auth.case import AuthTestCase

ROOT = StaticClient("static/root", "r" * 22, ["*"], "May do everything.")


class Restart(AuthTestCase):
    def restart(self, **arguments: Any) -> None:
        self.stop(self.taskcluster)
        self.patch(type(self), "arguments", {"root": lambda root=self.root: root, **arguments})
        self.taskcluster = self.start()

    def test_clients_and_roles_are_kept(self) -> None:
        self.role("r", "x:<..>", "b")
        me, other = self.client("assume:r", deleteOnExpiration=True), self.client(name="other")
        self.ask("auth", "POST", "/clients/other/disable")
        before = [self.ask("auth", "GET", path) for path in ("/clients/me", "/clients/other", "/roles")]
        self.restart()
        self.assertEqual(
            [self.ask("auth", "GET", path) for path in ("/clients/me", "/clients/other", "/roles")], before
        )
        self.assertIn("b", self.accepted(me))
        self.refused_with(other, "disabled")

    def test_what_was_taken_away_stays_away(self) -> None:
        me = self.client()
        self.ask("auth", "DELETE", "/clients/me")
        self.ask("auth", "DELETE", "/roles/anonymous")
        self.restart()
        self.refused_with(me, "no client me")
        self.assertEqual(self.current(None).status, 403)

    def test_when_a_client_was_used_is_kept(self) -> None:
        me = self.client(expires=self.date(days=2))
        self.reactor.advance(3600 * 7)
        self.accepted(me)
        self.restart()
        self.assertIn("T15:00", self.ask("auth", "GET", "/clients/me")["lastDateUsed"])

    def test_static_clients_are_those_of_the_last_start(self) -> None:
        mine = Credentials("static/mine", "m" * 22)
        self.restart(static_clients=[StaticClient(mine.client_id, mine.access_token, ["a"], "d")])
        self.assertIn("a", self.accepted(mine))
        first = self.ask("auth", "GET", "/clients/static%2Fmine")
        self.reactor.advance(1)
        self.restart(static_clients=[StaticClient(mine.client_id, mine.access_token, ["a"], "d")])
        self.assertEqual(self.ask("auth", "GET", "/clients/static%2Fmine"), first)
        self.restart(static_clients=[StaticClient(mine.client_id, "n" * 22, ["b"], "d")])
        changed = self.ask("auth", "GET", "/clients/static%2Fmine")
        self.assertEqual((changed["created"], changed["scopes"]), (first["created"], ["b"]))
        for date in ("lastModified", "lastRotated"):
            self.assertLess(first[date], changed[date])
        self.refused_with(mine, "MAC")
        self.restart()
        self.refused_with(mine, "no client static/mine")

    def test_a_root_of_another_name_takes_the_place_of_the_old_one(self) -> None:
        old = self.root
        self.root = Credentials("me", "m" * 22)
        self.restart()
        self.assertEqual(self.accepted(self.root), ["*"])
        self.refused_with(old, "no client")
        self.refused("auth", 400, "InputError", "DELETE", "/clients/me")


class Waiting:
    """A database whose jobs are done when the test says so."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(SCHEMA)
        self.jobs: list[Deferred[Any]] = []

    def run(self, job: Callable[..., Any], *args: Any) -> Deferred[Any]:
        asked: Deferred[Any] = Deferred()
        self.jobs.append(asked)
        return asked.addCallback(lambda _: job(self.connection, *args))


class WhileChanging(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = Waiting()
        self.clock = Clock()
        self.registry = Registry(self.clock, self.database)  # type: ignore[arg-type]  # all of one that is used
        loading = Deferred.fromCoroutine(self.registry.load([ROOT]))
        self.finish()
        self.successResultOf(loading)

    def finish(self) -> None:
        while self.database.jobs:
            self.database.jobs.pop(0).callback(None)

    def put(self, client_id: str, scopes: Sequence[str] = ()) -> Deferred[None]:
        client = Client(client_id, "t" * 22, scopes, "", 100_000, 0, 0, 0, 0)
        return self.change(partial(self.registry.put_client, client))

    def change(self, work: Callable[[], Awaitable[None]]) -> Deferred[None]:
        return Deferred.fromCoroutine(self.registry.change(work))

    def put_role(self, role_id: str, *scopes: str) -> Deferred[None]:
        return self.change(partial(self.registry.put_role, Role(role_id, scopes, "", 0, 0)))

    def test_a_change_holds_once_it_is_kept_and_not_before(self) -> None:
        putting = self.put("me")
        self.assertRaises(Refused, self.registry.client, "me")
        self.assertNoResult(putting)
        self.finish()
        self.successResultOf(putting)
        self.registry.client("me")

    def test_who_goes_away_does_not_stop_what_was_begun(self) -> None:
        putting = self.put("me")
        putting.cancel()
        self.failureResultOf(putting)
        self.finish()
        self.registry.client("me")

    def test_changes_come_one_after_the_other(self) -> None:
        first, second = self.put_role("a", "assume:b"), self.put_role("b", "assume:a")
        self.finish()
        self.successResultOf(first)
        # By itself it would be fine.
        self.failureResultOf(second, ApiError)
        self.assertEqual(list(self.registry.roles.by_id), ["a", "anonymous"])

    def test_what_cannot_be_kept_does_not_hold_and_the_next_change_does(self) -> None:
        first = self.put("me")
        self.database.jobs.pop(0).errback(sqlite3.OperationalError("disk full"))
        second = self.put("other")
        self.finish()
        self.failureResultOf(first, sqlite3.OperationalError)
        self.successResultOf(second)
        self.assertRaises(Refused, self.registry.client, "me")
        self.registry.client("other")

    def test_who_has_expired_and_could_not_be_forgotten_is_tried_again(self) -> None:
        for client_id in ("me", "other"):
            client = Client(client_id, "t" * 22, [], "", 1000, 0, 0, 0, 0, delete_on_expiration=True)
            self.change(partial(self.registry.put_client, client))
            self.finish()
        self.clock.advance(2)
        Deferred.fromCoroutine(self.registry.forget_expired())
        self.database.jobs.pop(0).errback(sqlite3.OperationalError("disk full"))
        self.finish()
        self.assertEqual([client.client_id for client in self.registry.clients], ["me", "static/root"])
        self.assertEqual(len(self.flushLoggedErrors(sqlite3.OperationalError)), 1)
        Deferred.fromCoroutine(self.registry.forget_expired())
        self.finish()
        self.assertEqual([client.client_id for client in self.registry.clients], ["static/root"])
        self.successResultOf(Deferred.fromCoroutine(self.registry.stop()))

    def test_stopping_waits_for_what_was_begun(self) -> None:
        self.put("me")
        stopping = Deferred.fromCoroutine(self.registry.stop())
        self.assertNoResult(stopping)
        self.finish()
        self.successResultOf(stopping)

    def test_what_is_remembered_is_forgotten_when_it_changes(self) -> None:
        for scopes in (["a"], ["assume:r"]):
            self.put("me", scopes)
            self.finish()
            self.assertEqual(list(self.registry.scopes_of(self.registry.client("me"))), scopes)
        self.put_role("r", "b")
        self.finish()
        self.assertEqual(list(self.registry.scopes_of(self.registry.client("me"))), ["assume:r", "b"])

    def test_what_is_asked_for_again_is_not_found_out_again(self) -> None:
        self.put_role("r", "b")
        self.put("me", ["assume:r"])
        self.finish()
        me = self.registry.client("me")
        self.assertIs(self.registry.scopes_of(me), self.registry.scopes_of(me))
        self.patch(Roles, "_assumed", lambda roles, scope: self.fail("looked for roles again"))
        self.assertEqual(list(self.registry.expand(["c", "assume:r"])), ["assume:r", "b", "c"])

    def test_tokens_are_not_shown(self) -> None:
        self.assertNotIn("r" * 22, repr(self.registry.client("static/root")))
