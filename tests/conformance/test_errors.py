"""Each error, its body, and which one wins (contracts of the queue, 0.2, 0.3 and 0.4)."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.callers import Answer, Credentials
from tests.conformance.case import CODES, QUEUE, ConformanceTestCase, date, new_id
from tests.conformance.deployment import NOT_SIGNED

JSON = {"Content-Type": "application/json"}
UNKNOWN = Credentials("conformance/nobody", "not-a-token")


class Codes(ConformanceTestCase):
    def test_malformed_payload(self) -> None:
        target = f"{QUEUE}/task/{new_id()}"
        for content in (b"{", b"nonsense", b'"text"', b"1", b"null", b"true", b'{"a": NaN}', b"{'a': 1}"):
            self.assertRefused(self.call("PUT", target, content), "MalformedPayload")

    def test_another_content_type(self) -> None:
        target = f"{QUEUE}/task/{new_id()}"
        content = json.dumps(self.definition()).encode()
        for kind in ("text/plain", "application/octet-stream", "application/x-www-form-urlencoded"):
            answer = self.call("PUT", target, content, headers={"Content-Type": kind})
            self.assertRefused(answer, "MalformedPayload")
        self.assertRefused(self.deployment.send("PUT", target, content), "MalformedPayload")

    def test_a_charset_is_no_matter(self) -> None:
        content = json.dumps(self.definition()).encode()
        for kind in ("application/json; charset=utf-8", "Application/JSON"):
            answer = self.call("PUT", f"{QUEUE}/task/{new_id()}", content, headers={"Content-Type": kind})
            self.assertEqual(answer.status, 200, answer.content)

    def test_a_body_in_chunks(self) -> None:
        target = f"{QUEUE}/task/{new_id()}"
        content = json.dumps(self.definition()).encode()
        headers = {"Authorization": self.deployment.sign("PUT", target), **JSON}
        answer = self.deployment.send("PUT", target, [content[:100], content[100:]], headers)
        self.assertEqual(answer.status, 200, answer.content)

    def test_a_body_that_nobody_reads(self) -> None:
        task_id = self.create()
        answer = self.call(
            "POST", f"{QUEUE}/task/{task_id}/cancel", b"whatever", headers={"Content-Type": "text/plain"}
        )
        self.assertEqual(answer.status, 200)

    def test_invalid_request_arguments(self) -> None:
        for path in ("/task/abc", f"/task/{new_id()}/runs/x/artifacts", "/task-queues/UPPER%2FCASE/counts"):
            self.assertRefused(self.call("GET", QUEUE + path), "InvalidRequestArguments")

    def test_input_validation_error(self) -> None:
        for body in ([], {}, {**self.definition(), "more": 1}):
            self.assertRefused(self.call("PUT", f"{QUEUE}/task/{new_id()}", body), "InputValidationError")

    def test_input_error(self) -> None:
        answer = self.call("PUT", f"{QUEUE}/task/{new_id()}", self.definition(created=date(hours=-1)))
        self.assertRefused(answer, "InputError")

    def test_authentication_failed(self) -> None:
        answer = self.call("GET", f"{QUEUE}/task/{new_id()}", credentials=UNKNOWN)
        self.assertRefused(answer, "AuthenticationFailed")
        self.assertEqual(answer.headers["www-authenticate"], "hawk")

    def test_insufficient_scopes(self) -> None:
        held = self.running()
        scope = f"queue:resolve-task:{held.task_id}/0"
        for credentials in (NOT_SIGNED, self.deployment.issue("conformance:other")):
            answer = self.call("POST", f"{held.path}/completed", credentials=credentials)
            self.assertRefused(answer, "InsufficientScopes")
            self.assertIn(scope, answer.json["message"])

    def test_the_missing_scopes_are_told_apart(self) -> None:
        lacking, had = f"queue:claim-work:{self.task_queue}", f"queue:worker-id:{self.worker_group}/{self.worker_id}"
        asked = {"workerGroup": self.worker_group, "workerId": self.worker_id, "tasks": 1}
        with self.refused("InsufficientScopes") as said:
            self.limited(had).queue.claimWork(self.task_queue, asked)
        # The missing one, and the whole expression.
        self.assertGreater(said[0].count(lacking), said[0].count(had))
        self.assertIn(had, said[0])

    def test_not_found_and_conflict(self) -> None:
        self.assertRefused(self.call("GET", f"{QUEUE}/task/{new_id()}"), "ResourceNotFound")
        answer = self.call("POST", f"{QUEUE}/task/{self.create()}/runs/0/completed")
        self.assertRefused(answer, "RequestConflict")

    def test_a_body_beyond_the_limit(self) -> None:
        fits = self.definition(payload={"long": "x" * 10_400_000})
        task_id = new_id()
        self.queue.createTask(task_id, fits)
        self.assertEqual(len(self.queue.task(task_id)["payload"]["long"]), 10_400_000)
        answer = self.call("PUT", f"{QUEUE}/task/{new_id()}", self.definition(payload={"long": "x" * 10_600_000}))
        self.assertRefused(answer, "InternalServerError")


class Bodies(ConformanceTestCase):
    def check(self, answer: Answer, method: str, params: dict[str, str], payload: Any) -> None:
        body = answer.json
        self.assertEqual(set(body), {"code", "message", "requestInfo"})
        info = body["requestInfo"]
        self.assertEqual(set(info), {"method", "params", "payload", "time"})
        self.assertEqual((info["method"], info["params"], info["payload"]), (method, params, payload))
        self.assertEqual(answer.status, CODES[body["code"]])
        text, _, foot = body["message"].partition("\n\n---\n\n")
        self.assertTrue(text)
        self.assertEqual(
            foot,
            f"* method:     {method}\n* errorCode:  {body['code']}\n"
            f"* statusCode: {answer.status}\n* time:       {info['time']}",
        )

    def test_three_keys_and_a_message_with_a_foot(self) -> None:
        task_id = new_id()
        self.check(self.call("GET", f"{QUEUE}/task/{task_id}"), "task", {"taskId": task_id}, {})
        worker = {"workerGroup": "a.b", "workerId": "w", "tasks": 1}
        encoded = self.task_queue.replace("/", "%2F")
        answer = self.call("POST", f"{QUEUE}/claim-work/{encoded}", worker)
        self.check(answer, "claimWork", {"taskQueueId": self.task_queue}, worker)
        answer = self.call("GET", f"{QUEUE}/task/{task_id}", credentials=UNKNOWN)
        self.check(answer, "task", {"taskId": task_id}, {})

    def test_secrets_are_not_repeated(self) -> None:
        answer = self.call("PUT", f"/api/secrets/v1/secret/{new_id()}", {"secret": {"password": "hidden"}})
        self.assertEqual(answer.status, 400)
        self.assertNotIn(b"hidden", answer.content)
        proof = {"staticSecret": "s" * 44}
        body = {
            **{"workerPoolId": self.task_queue, "providerId": "static", "workerGroup": "g", "workerId": "w"},
            "workerIdentityProof": proof,
        }
        answer = self.call("POST", "/api/worker-manager/v1/worker/register", body)
        self.assertGreaterEqual(answer.status, 400)
        self.assertNotIn(b"s" * 44, answer.content)


class Order(ConformanceTestCase):
    """Each step answers before the next one looks: a request with several faults tells which is first."""

    def code(self, method: str, path: str, body: Any = None, **how: Any) -> str:
        return str(self.call(method, QUEUE + path, body, **how).json["code"])

    def test_a_body_that_is_no_json_before_the_signature(self) -> None:
        code = self.code("POST", f"/task/{new_id()}/runs/0/exception", b"{", credentials=UNKNOWN)
        self.assertEqual(code, "MalformedPayload")

    def test_the_signature_before_parameters_query_and_schema(self) -> None:
        path = "/task/abc/runs/0/exception?a=b"
        self.assertEqual(self.code("POST", path, {}, credentials=UNKNOWN), "AuthenticationFailed")
        self.assertEqual(self.code("POST", path, {}, credentials=NOT_SIGNED), "InsufficientScopes")

    def test_then_parameters_query_content_type_schema(self) -> None:
        task = f"/task/{new_id()}/runs/0/exception"
        text = {"headers": {"Content-Type": "text/plain"}}
        self.assertEqual(self.code("POST", "/task/abc/runs/0/exception?a=b", b"{", **text), "InvalidRequestArguments")
        self.assertEqual(self.code("POST", f"{task}?a=b", b"{", **text), "InvalidRequestArguments")
        self.assertEqual(self.code("POST", task, b"{", **text), "MalformedPayload")
        self.assertEqual(self.code("POST", task, {}), "InputValidationError")
        self.assertEqual(self.code("POST", task, {"reason": "internal-error"}), "ResourceNotFound")

    def test_scopes_of_the_path_before_what_is_there(self) -> None:
        run = f"/task/{new_id()}/runs/0"
        for path in ("reclaim", "completed", "failed"):
            self.assertEqual(self.code("POST", f"{run}/{path}", credentials=NOT_SIGNED), "InsufficientScopes")

    def test_scopes_of_the_body_after_the_schema(self) -> None:
        claim = f"/claim-work/{self.task_queue}"
        self.assertEqual(self.code("POST", claim, {}, credentials=NOT_SIGNED), "InputValidationError")
        self.assertEqual(self.code("POST", claim, {}, credentials=UNKNOWN), "InputValidationError")
        create = f"/task/{new_id()}"
        self.assertEqual(self.code("PUT", create, {}, credentials=NOT_SIGNED), "InputValidationError")

    def test_who_may_create_a_task_before_its_dates(self) -> None:
        late = self.definition(created=date(hours=-1))
        self.assertEqual(self.code("PUT", f"/task/{new_id()}", late, credentials=NOT_SIGNED), "InsufficientScopes")
        self.assertEqual(self.code("PUT", f"/task/{new_id()}", late, credentials=UNKNOWN), "AuthenticationFailed")
        unclear = {**late, "provisionerId": "another"}
        self.assertEqual(self.code("PUT", f"/task/{new_id()}", unclear, credentials=NOT_SIGNED), "InputError")
