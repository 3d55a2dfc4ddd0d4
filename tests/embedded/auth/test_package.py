"""The C{taskcluster} package's own client of the auth service, on a real port, from a thread."""

from __future__ import annotations

from typing import Any

import requests
import taskcluster
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster

TESTER = {"clientId": "tester", "accessToken": "no-secret"}


class ThePackagesClient(TestCase):
    timeout = 30

    async def setUp(self) -> None:
        self.server = Taskcluster(reactor, self.mktemp(), TaskclusterSettings(in_memory=True))
        self.server.startService()
        self.addCleanup(self.server.stopService)
        await self.server.when_listening()

    def auth(self, credentials: Any = None, **options: Any) -> Any:
        root = self.server.root_credentials
        given = credentials or {"clientId": root.client_id, "accessToken": root.access_token}
        return taskcluster.Auth({"rootUrl": self.server.root_url, "credentials": given, "maxRetries": 0, **options})

    async def test_clients_and_roles_from_the_first_to_the_last(self) -> None:
        await deferToThread(self.live)

    def live(self) -> None:
        auth = self.auth()
        auth.createRole("hook-id:*", {"scopes": ["hook:<..>"], "description": "d"})
        body = {"scopes": ["assume:hook-id:a/b", "mine:*"], "description": "d", "expires": taskcluster.fromNow("1 day")}
        made = auth.createClient("me/there", body)
        self.assertEqual(made["expandedScopes"], ["assume:hook-id:a/b", "hook:a/b", "mine:*"])
        me = {"clientId": "me/there", "accessToken": made["accessToken"]}
        self.assertIn("hook:a/b", self.auth(me).currentScopes()["scopes"])
        narrow = self.auth(me, authorizedScopes=["mine:1"]).currentScopes()["scopes"]
        self.assertIn("mine:1", narrow)
        self.assertNotIn("hook:a/b", narrow)
        found: list[str] = []
        auth.listClients(query={"limit": 1}, paginationHandler=lambda page: found.extend(ids(page)))
        self.assertEqual(found, ["me/there", "static/taskcluster/root", "static/taskcluster/server"])
        again = {"clientId": "me/there", "accessToken": auth.resetAccessToken("me/there")["accessToken"]}
        self.assertRaises(taskcluster.exceptions.TaskclusterAuthFailure, self.auth(me).currentScopes)
        self.auth(again).currentScopes()
        self.assertIsNone(auth.deleteClient("me/there"))
        self.assertIsNone(auth.deleteRole("hook-id:*"))
        self.assertEqual(auth.listRoleIds()["roleIds"], ["anonymous"])

    async def test_trying_out_signatures(self) -> None:
        await deferToThread(self.try_out)

    def try_out(self) -> None:
        body = {"clientScopes": ["a:*", "auth:create-client:t"], "requiredScopes": ["a:1"]}
        self.assertEqual(self.auth(TESTER).testAuthenticate(body)["clientId"], "tester")
        self.assertEqual(self.auth(self.temporary("t", "a:1")).testAuthenticate(body)["clientId"], "t")
        self.assertEqual(self.auth(self.temporary(None, "a:1")).testAuthenticate(body)["clientId"], "tester")
        for wrong in (self.temporary("u", "a:1"), self.temporary("t", "b"), {**TESTER, "accessToken": "x"}):
            self.assertRaises(taskcluster.exceptions.TaskclusterAuthFailure, self.auth(wrong).testAuthenticate, body)

    def temporary(self, name: str | None, scope: str) -> dict[str, str]:
        start, expiry = taskcluster.fromNow("-1 minutes"), taskcluster.fromNow("1 hour")
        made: dict[str, Any] = taskcluster.createTemporaryCredentials(
            TESTER["clientId"], TESTER["accessToken"], start, expiry, [scope], name=name
        )
        return {**made, "accessToken": made["accessToken"].decode()}

    async def test_signed_urls(self) -> None:
        await deferToThread(self.follow)

    def follow(self) -> None:
        url = self.auth(TESTER).buildSignedUrl("testAuthenticateGet")
        for method in ("get", "head"):
            requests.request(method, url, timeout=10).raise_for_status()
        self.assertEqual(requests.get(url, timeout=10).json()["clientId"], "tester")
        self.assertEqual(requests.post(url.replace("-get", ""), json={}, timeout=10).status_code, 401)
        self.assertEqual(requests.get(url.replace("bewit=", "bewit=a"), timeout=10).status_code, 401)


def ids(page: Any) -> list[str]:
    return [client["clientId"] for client in page["clients"]]
