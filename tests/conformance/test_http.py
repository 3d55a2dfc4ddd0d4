"""What all services share: routing by the raw path, headers, pages, dates (contracts of the queue, 0.1 to 0.7)."""

from __future__ import annotations

import gzip
import json
import re

from tests.conformance.case import QUEUE, ConformanceTestCase, date, names, new_id, random_name
from tests.conformance.deployment import NOT_SIGNED

SERVICES = ("auth", "queue", "index", "secrets", "purge-cache", "worker-manager", "object")


class Monitoring(ConformanceTestCase):
    def get(self, target: str) -> object:
        answer = self.call("GET", target, credentials=NOT_SIGNED)
        self.assertEqual(answer.status, 200, target)
        return answer.json

    def test_every_service_is_alive(self) -> None:
        for service in SERVICES:
            told = self.get(f"/api/{service}/v1/ping")
            self.assertIs(told["alive"], True)
            self.assertGreaterEqual(told["uptime"], 0)

    def test_every_service_has_a_heartbeat(self) -> None:
        for service in SERVICES:
            for name in ("__lbheartbeat__", "__heartbeat__"):
                self.assertEqual(self.get(f"/api/{service}/v1/{name}"), {})

    def test_every_service_has_a_version(self) -> None:
        for service in SERVICES:
            self.assertIn("version", self.get(f"/api/{service}/v1/__version__"))

    def test_a_signature_is_not_even_looked_at(self) -> None:
        answer = self.call("GET", f"{QUEUE}/ping", credentials=NOT_SIGNED, headers={"Authorization": "Hawk nonsense"})
        self.assertEqual(answer.status, 200)


class Routing(ConformanceTestCase):
    def test_what_is_not_there(self) -> None:
        paths = ("/nothing", "/task", "/PING", "/task/", f"/task/{new_id()}/nothing", "/provisioners/a/b/c")
        for path in paths:
            answer = self.call("GET", QUEUE + path)
            self.assertEqual((answer.status, answer.json), (404, {"error": "Not found"}), path)
        for path in ("/api/queue/v2/ping", "/api/nothing/v1/ping", "/api"):
            self.assertEqual(self.call("GET", path).status, 404)

    def test_another_method(self) -> None:
        answer = self.call("DELETE", f"{QUEUE}/task/{self.create()}")
        self.assertEqual((answer.status, answer.json), (404, {"error": "Not found"}))

    def test_a_slash_at_the_end(self) -> None:
        task_id = self.create()
        for path in ("/ping/", f"/task/{task_id}/", f"/task/{task_id}/status/"):
            self.assertEqual(self.call("GET", QUEUE + path).status, 200, path)

    def test_a_splat_takes_slashes_of_both_kinds(self) -> None:
        asked = {"workerGroup": self.worker_group, "workerId": self.worker_id, "tasks": 1}
        for name in (self.task_queue, self.task_queue.replace("/", "%2F"), self.task_queue.replace("/", "%2f")):
            task_id = self.create()
            answer = self.call("POST", f"{QUEUE}/claim-work/{name}", asked)
            self.assertEqual(names([claim["status"] for claim in answer.json["tasks"]]), [task_id])

    def test_a_plain_parameter_takes_encoded_ones_only(self) -> None:
        self.running()
        encoded = self.task_queue.replace("/", "%2F")
        self.assertEqual(self.call("GET", f"{QUEUE}/task-queues/{encoded}").status, 200)
        answer = self.call("GET", f"{QUEUE}/task-queues/{self.task_queue}")
        self.assertEqual((answer.status, answer.json), (404, {"error": "Not found"}))

    def test_each_part_is_decoded_by_itself(self) -> None:
        held = self.running()
        artifact = {
            "storageType": "error",
            "reason": "file-missing-on-worker",
            "message": "m",
            "expires": date(hours=1),
        }
        created = f"{held.path}/artifacts/public%2Fa%20b%2F%25%3F%23.txt"
        self.assertEqual(self.call("POST", created, artifact).status, 200)
        listed = self.queue.listArtifacts(*held.run)["artifacts"]
        self.assertEqual(names(listed, "name"), ["public/a b/%?#.txt"])
        raw = f"{held.path}/artifacts/public/a%20b/%25%3f%23.txt"
        self.assertEqual(self.call("GET", raw).status, 424)

    def test_an_encoded_letter_of_a_parameter(self) -> None:
        task_id = self.create()
        encoded = "".join(f"%{ord(letter):02x}" for letter in task_id)
        self.assertEqual(self.call("GET", f"{QUEUE}/task/{encoded}").status, 200)

    def test_head_is_get_without_a_body(self) -> None:
        answer = self.call("HEAD", f"{QUEUE}/ping")
        self.assertEqual((answer.status, answer.content), (200, b""))


class Headers(ConformanceTestCase):
    def test_what_every_answer_carries(self) -> None:
        for path in ("/ping", f"/task/{new_id()}"):
            headers = self.call("GET", QUEUE + path).headers
            self.assertEqual(headers["cache-control"], "no-store no-cache must-revalidate")
            self.assertEqual(headers["access-control-allow-origin"], "*")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertIn("content-security-policy", headers)
            self.assertTrue(headers["content-type"].startswith("application/json"))

    def test_a_trace(self) -> None:
        first = self.call("GET", f"{QUEUE}/ping", headers={"x-taskcluster-trace-id": "conformance"}).headers
        second = self.call("GET", f"{QUEUE}/ping").headers
        self.assertEqual(first["x-for-trace-id"], "conformance")
        self.assertRegex(second["x-for-trace-id"], r"^[0-9a-f-]{36}$")
        self.assertNotEqual(first["x-for-request-id"], second["x-for-request-id"])

    def test_a_page_of_another_origin_may_ask(self) -> None:
        asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
        asked["Access-Control-Request-Headers"] = "authorization,content-type"
        answer = self.deployment.send("OPTIONS", f"{QUEUE}/claim-work/a/b", headers=asked)
        self.assertIn(answer.status, (200, 204))
        self.assertEqual(answer.headers["access-control-allow-origin"], "*")
        self.assertEqual(answer.headers["access-control-max-age"], "900")
        self.assertIn("POST", answer.headers["access-control-allow-methods"])
        allowed = re.split(r",\s*", answer.headers["access-control-allow-headers"].lower())
        wanted = {"x-requested-with", "content-type", "authorization", "accept", "origin", "cache-control"}
        self.assertLessEqual(wanted, set(allowed))

    def test_compression(self) -> None:
        task_id = self.create(payload={"long": "x" * 20_000})
        target = f"{QUEUE}/task/{task_id}"
        answer = self.call("GET", target, headers={"Accept-Encoding": "gzip"})
        self.assertEqual(answer.headers.get("content-encoding"), "gzip")
        self.assertEqual(json.loads(gzip.decompress(answer.content)), self.call("GET", target).json)


class Queries(ConformanceTestCase):
    def test_keys_that_nobody_knows(self) -> None:
        task_id = self.create()
        for path in (f"/task/{task_id}?a=b", "/ping?a=b", f"/task-group/{task_id}/list?more=1", "/ping?limit=1"):
            self.assertRefused(self.call("GET", QUEUE + path), "InvalidRequestArguments")

    def test_values_that_cannot_be(self) -> None:
        task_id = self.create()
        for query in ("limit=many", "limit=-1", "limit=", "continuationToken=", "limit=1&limit=2"):
            answer = self.call("GET", f"{QUEUE}/task-group/{task_id}/list?{query}")
            self.assertRefused(answer, "InvalidRequestArguments")

    def test_a_limit_beyond_the_most(self) -> None:
        task_id = self.create()
        answer = self.call("GET", f"{QUEUE}/task-group/{task_id}/list?limit=100000")
        self.assertEqual(names([item["status"] for item in answer.json["tasks"]]), [task_id])


class Pages(ConformanceTestCase):
    def test_a_token_only_when_there_is_more(self) -> None:
        group = new_id()
        for _ in range(4):
            self.create(taskGroupId=group)
        seen: list[str] = []
        token = ""
        for wanted in (2, 2):
            page = self.call("GET", f"{QUEUE}/task-group/{group}/list?limit=2{token}").json
            seen += names([item["status"] for item in page["tasks"]])
            self.assertEqual(len(page["tasks"]), wanted)
            token = f"&continuationToken={page.get('continuationToken')}"
        self.assertNotIn("continuationToken", page)
        self.assertEqual(len(set(seen)), 4)

    def test_all_at_once_has_no_token(self) -> None:
        task_id = self.create()
        self.assertNotIn("continuationToken", self.queue.listTaskGroup(task_id))
        self.assertNotIn("continuationToken", self.queue.listTaskGroup(params={"taskGroupId": task_id}))


class Dates(ConformanceTestCase):
    def test_they_are_written_to_the_millisecond(self) -> None:
        status = self.running().complete()
        run = status["runs"][0]
        written = [status["deadline"], status["expires"], *(run[name] for name in ("scheduled", "started", "resolved"))]
        for text in [*written, run["takenUntil"]]:
            self.assertRegex(text, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_they_are_read_in_every_form(self) -> None:
        utc = date(hours=1)[:19]
        for text in (f"{utc}Z", f"{utc}.1Z", f"{utc}.123456Z", f"{utc}+00:00", f"{utc}.5-02:00", f"{utc}z"):
            with self.subTest(text=text):
                task_id = self.create(deadline=text, expires=date(days=1))
                self.assertTrue(self.status(task_id)["deadline"].endswith("Z"))

    def test_what_is_no_date(self) -> None:
        for text in ("2030-02-30T00:00:00Z", "2030-01-01", "2030-01-01T00:00:00", "2030-01-01 00:00:00", "soon", ""):
            with self.subTest(text=text), self.refused("InputValidationError"):
                self.queue.createTask(new_id(), self.definition(expires=text, schedulerId=random_name()))
