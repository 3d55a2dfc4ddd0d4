"""Whatever anybody sends, a server refuses it or does it: it never fails, not then and not later."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tcworker.embedded.api import Api
from tcworker.embedded.routing import Route
from tests.chances import chances
from tests.embedded.absurd import BODIES, Absurdity
from tests.embedded.wire import Answer, Pending, WireTestCase

POOL = {
    "providerId": "static",
    "description": "",
    "config": {},
    "owner": "a@b.c",
    "emailOnError": False,
}


def _schemas(checker: Any) -> list[Any]:
    """Give the schema of a body, or those of each of its kinds."""
    return [part._schema for part in getattr(checker, "_checkers", {"": checker}).values()]


class AbsurdCalls(WireTestCase):
    def setUp(self) -> None:
        super().setUp()
        path, own = self.run_of_own()
        link = {"storageType": "link", "artifact": "public/log", "expires": self.date(minutes=30)}
        self.ask("queue", "POST", f"{path}/artifacts/public/a", link, own)
        self.call("PUT", "/api/worker-manager/v1/worker-pool/prov%2Ftype", POOL)
        task_id = path.split("/")[2]
        self.known = {
            "taskId": [task_id, self.create(), self.create(dependencies=[task_id])],
            "taskGroupId": [task_id],
            "runId": ["0"],
            "name": ["public/a", "public/log"],
            **{name: ["prov/type"] for name in ("taskQueueId", "workerPoolId")},
            "provisionerId": ["prov"],
            "workerType": ["type"],
            "workerGroup": ["group"],
            "workerId": ["worker"],
            "providerId": ["static"],
            "clientId": ["a", "b/c"],
            "roleId": ["a", "b*"],
            **{name: ["a.b", "a"] for name in ("namespace", "indexPath")},
        }

        self.bodies = self.good_bodies(task_id)

    def good_bodies(self, task_id: str) -> dict[str, list[Any]]:
        """Give bodies that are taken, by the names of calls."""
        later, day = {"expires": self.date(minutes=20)}, {"expires": self.date(days=1)}
        worker, secret = {"workerGroup": "group", "workerId": "worker"}, {"staticSecret": "s" * 44}
        pools = [POOL, {**POOL, "config": {"lifecycle": {"reregistrationTimeout": 60}, "workerConfig": {}}}]
        named = {**worker, "workerPoolId": "prov/type", "providerId": "static", "workerIdentityProof": secret}
        error = {"kind": "a", "title": "b", "description": "c", "extra": {"code": 1}}
        index = {"index": {"rank": 1, "expires": self.date(hours=2), "data": {}}}
        client = {"description": "", "scopes": ["a"], "deleteOnExpiration": True, **later}
        artifact = {"contentType": "a/b", "contentLength": 1, **later}
        return {
            "createTask": [self.definition(), self.definition(extra=index, routes=["index.a.b"], **day)],
            "createArtifact": [{**artifact, "storageType": kind} for kind in ("s3", "object")],
            **{name: pools for name in ("createWorkerPool", "updateWorkerPool")},
            **{name: [client] for name in ("createClient", "updateClient")},
            "createWorker": [{**later, "capacity": 1, "providerInfo": secret}],
            "updateWorker": [{**later, "capacity": 1}],
            "registerWorker": [named],
            "reportWorkerError": [{**worker, **error}],
            "insertTask": [{"taskId": task_id, "rank": 1, "data": {}, **later}],
            "set": [{"secret": {"a": "b"}, **later}],
            "quarantineWorker": [{"quarantineUntil": self.date(hours=1)}],
            "declareWorker": [later],
            "claimWork": [{**worker, "tasks": 1}],
        }

    def routes(self) -> Iterator[tuple[Api, Route]]:
        assert self.taskcluster._services is not None
        for service in self.taskcluster._services.every:
            yield from ((service.api, route) for route in service.api.routes)

    def test_of_every_route(self) -> None:
        for random in chances(3, 100):
            absurdity = Absurdity(random, self.known)
            for api, route in self.routes():
                target = f"/api/{api.name}/v1{absurdity.path(route.path)}{absurdity.query(route.query)}"
                self.look(self.sent(absurdity, route, target), f"{route.name}: {route.method} {target[:300]}")

    def sent(self, absurdity: Absurdity, route: Route, target: str) -> tuple[Pending, bytes]:
        content = b""
        if route.body is not None:
            body = self.body(absurdity, route)
            content = absurdity.one(BODIES) if absurdity.rarely(10) else json.dumps(body).encode()
        elif absurdity.rarely(10):
            content = absurdity.one(BODIES)
        headers = {"Content-Type": "application/json"} if content else {}
        if not absurdity.rarely(10):
            headers["Authorization"] = self.sign(route.method, target, content, self.root)
        return self.send(route.method, target, content, {**headers, **absurdity.headers()}), content

    def body(self, absurdity: Absurdity, route: Route) -> Any:
        if route.name in self.bodies and not absurdity.rarely(4):
            return absurdity.spoil(absurdity.one(self.bodies[route.name]))
        return absurdity.value(absurdity.one(_schemas(route.body)))

    def look(self, sent: tuple[Pending, bytes], what: str) -> None:
        pending, content = sent
        failed = [failure.getTraceback() for failure in self.flushLoggedErrors()]
        self.assertEqual(failed, [], f"{what}\n{content[:1000]!r}")
        if pending.answered:
            self.check(pending.answer(), what)
        else:
            self.assertIn("claimWork", what)
        # A connection that is open has its timers.
        pending.hang_up()

    def check(self, answer: Answer, what: str) -> None:
        self.assertNotIn(b"incidentId", answer.content, what)
        content = gzip.decompress(answer.content) if "content-encoding" in answer.headers else answer.content
        # Who is called by a name that is not its own says so in plain text.
        if content and answer.status != 421:
            json.loads(content, parse_constant=self.fail)
