"""What all services have in common: routes, the order of checks, errors."""

from __future__ import annotations

import slugid

from tcworker.embedded import database
from tests.embedded.wire import QUEUE, WireTestCase

NICE = str(slugid.nice())


class Routes(WireTestCase):
    def test_the_server_as_a_whole_says_that_it_lives(self) -> None:
        for name in ("__heartbeat__", "__lbheartbeat__", "__version__"):
            self.assertEqual(self.send("GET", f"/{name}").answer().status, 200)
        self.assertEqual(self.send("GET", "/__nothing__").answer().status, 404)

    def test_every_service_answers_ping(self) -> None:
        self.reactor.advance(7)
        for service in ("auth", "index", "object", "purge-cache", "queue", "secrets", "worker-manager"):
            answer = self.send("GET", f"/api/{service}/v1/ping").answer()
            self.assertEqual((answer.status, answer.json), (200, {"alive": True, "uptime": 7}))

    def test_nothing_is_404_without_a_code(self) -> None:
        for target in ("/api", "/api/queue", "/api/queue/v1/nothing", "/api/nobody/v1/ping", "/api/queue/v2/ping"):
            answer = self.send("GET", target).answer()
            self.assertEqual((answer.status, answer.json), (404, {"error": "Not found"}), target)

    def test_a_trailing_slash_is_forgiven(self) -> None:
        self.assertEqual(self.send("GET", f"{QUEUE}/ping/").answer().status, 200)

    def test_a_splat_takes_slashes_and_encoded_ones(self) -> None:
        for queue in ("prov/type", "prov%2Ftype"):
            pending = self.begin("POST", f"{QUEUE}/claim-work/{queue}", {"workerGroup": "g"}, self.root)
            self.assertIn("workerId", pending.answer().json["message"])

    def test_a_plain_parameter_takes_no_slash(self) -> None:
        self.assertEqual(self.send("GET", f"{QUEUE}/task/a/b/status").answer().json, {"error": "Not found"})
        self.assertEqual(self.send("GET", f"{QUEUE}/task/a%2Fb/status").answer().code, "InvalidRequestArguments")

    def test_a_path_that_is_not_utf_8(self) -> None:
        self.assertEqual(self.send("GET", f"{QUEUE}/task/%ff/status").answer().code, "InvalidRequestArguments")

    def test_a_head_is_a_get_without_its_body(self) -> None:
        answer = self.send("HEAD", f"{QUEUE}/ping").answer()
        self.assertEqual((answer.status, answer.content), (200, b""))

    def test_a_preflight_is_allowed(self) -> None:
        answer = self.send("OPTIONS", f"{QUEUE}/ping").answer()
        self.assertEqual((answer.status, answer.headers["access-control-allow-origin"]), (204, "*"))

    def test_one_connection_serves_many_calls(self) -> None:
        pending = self.send("GET", f"{QUEUE}/ping")
        pending.more(b"GET /api/queue/v1/ping HTTP/1.1\r\nHost: taskcluster.test:80\r\n\r\n")
        self.assertEqual(pending.content.count(b"HTTP/1.1 200 OK"), 2)


class Errors(WireTestCase):
    def test_the_body_has_three_keys(self) -> None:
        answer = self.call("GET", f"{QUEUE}/task/{NICE}")
        self.assertEqual(set(answer.json), {"code", "message", "requestInfo"})
        self.assertEqual(
            answer.json["requestInfo"],
            {"method": "task", "params": {"taskId": NICE}, "payload": {}, "time": "2027-01-15T08:00:00.000Z"},
        )
        for line in ("* method:     task", "* errorCode:  ResourceNotFound", "* statusCode: 404"):
            self.assertIn(line, answer.json["message"].splitlines())

    def test_the_payload_is_shown(self) -> None:
        answer = self.call("PUT", f"{QUEUE}/task/{NICE}", {"payload": {}})
        self.assertEqual(answer.json["requestInfo"]["payload"], {"payload": {}})

    def test_broken_json_comes_before_a_wrong_signature(self) -> None:
        headers = {"Content-Type": "application/json", "Authorization": "Hawk nonsense"}
        for content in (b"{", b"3", b'{"a": NaN}', b"[" * 100_000):
            answer = self.send("POST", f"{QUEUE}/task/{NICE}/runs/0/exception", content, headers).answer()
            self.assertRefused(answer, 400, "MalformedPayload")

    def test_scopes_of_the_path_come_before_its_patterns_and_the_schema(self) -> None:
        answer = self.begin("POST", f"{QUEUE}/task/nonsense/runs/x/exception", {"no": 1}).answer()
        self.assertRefused(answer, 403, "InsufficientScopes")
        answer = self.call("POST", f"{QUEUE}/task/nonsense/runs/x/exception", {"no": 1})
        self.assertRefused(answer, 400, "InvalidRequestArguments")

    def test_scopes_of_the_body_come_after_the_schema(self) -> None:
        answer = self.begin("POST", f"{QUEUE}/claim-work/prov/type", {}).answer()
        self.assertEqual(answer.code, "InputValidationError")
        body = {"workerGroup": "g", "workerId": "w"}
        self.assertEqual(self.begin("POST", f"{QUEUE}/claim-work/prov/type", body).answer().code, "InsufficientScopes")

    def test_missing_scopes_are_named(self) -> None:
        answer = self.begin("POST", f"{QUEUE}/task/{NICE}/runs/3/completed").answer()
        self.assertIn(f"queue:resolve-task:{NICE}/3", answer.json["message"])

    def test_a_wrong_signature_is_401(self) -> None:
        answer = self.send("GET", f"{QUEUE}/task/{NICE}", headers={"Authorization": "Hawk nonsense"}).answer()
        self.assertRefused(answer, 401, "AuthenticationFailed")
        self.assertEqual(answer.headers["www-authenticate"], "hawk")

    def test_a_wrong_signature_is_no_matter_where_none_is_needed(self) -> None:
        answer = self.send("GET", f"{QUEUE}/ping", headers={"Authorization": "Hawk nonsense"}).answer()
        self.assertEqual(answer.status, 200)

    def test_what_nobody_foresaw_is_logged_and_answered(self) -> None:
        self.patch(database, "_transact", lambda connection, job: 1 / 0)
        answer = self.call("PUT", f"{QUEUE}/task/{NICE}", self.definition())
        self.assertRefused(answer, 500, "InternalServerError")
        self.assertIn("incidentId", answer.json["message"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
