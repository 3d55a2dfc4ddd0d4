from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from inspect import signature
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.client import services
from tcworker.client.hawk import Authorization, open_ext
from tcworker.client.http import HTTP, Answer
from tcworker.client.server_time import ServerTime
from tcworker.client.services import Auth, Object, Queue
from tcworker.client.trouble import UnexpectedAnswer, Unsent
from tcworker.errors import CallFailed, Unreachable
from tcworker.interfaces import JSON, Credentials, QueueCalls
from tcworker.retry import Backoff
from tcworker.waiting import pause
from tests.client.servers import Web, reactor, silent

ERROR = {
    "code": "RequestConflict",
    "message": "Run 0 is not running\n\n---\n\n* method:     reclaimTask\n* statusCode: 409",
    "requestInfo": {"payload": {"secret": "xyz"}},
}


@dataclass
class Sent:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout: float
    answer: Deferred[Answer]
    cancelled: bool = False

    def cancel(self, ends_with: Unreachable | None) -> None:
        self.cancelled = True
        if ends_with is not None:
            self.answer.errback(ends_with)

    @property
    def authorization(self) -> Authorization:
        return Authorization.parse(self.headers["Authorization"])


class Wire:
    """In the place of L{HTTP}: keeps what is sent, and the test answers.

    @ivar cancelled_with: what a request that is cancelled ends with, C{None} for Twisted's own error.
    """

    cancelled_with: Unreachable | None = None

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> Deferred[Answer]:
        answer: Deferred[Answer] = Deferred(lambda _: sent.cancel(self.cancelled_with))
        sent = Sent(method, url, headers, body, timeout, answer)
        self.sent.append(sent)
        return answer

    def answer(self, status: int, content: JSON, headers: Mapping[str, str] = {}) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.sent[-1].answer.callback(Answer(status, headers, body))

    def lose(self, error: type[Unreachable] = Unreachable) -> None:
        self.sent[-1].answer.errback(error("POST http://x", "connection lost"))


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.patch(services, "BACKOFF", Backoff(1, 30, jitter=0))
        self.clock = Clock()
        self.clock.advance(1000)
        self.credentials: Credentials | None = Credentials("me", "token", '{"version": 1}')

    def queue(self, **options: Any) -> Queue:
        http = cast(HTTP, self.wire)
        return Queue(http, "https://tc.example/", lambda: self.credentials, self.clock, **options)


class CallTests(Case):
    def test_arguments_then_body(self) -> None:
        self.queue().create_artifact("task", 0, "public/a b", {"storageType": "s3"})
        [sent] = self.wire.sent
        self.assertEqual(sent.method, "POST")
        self.assertEqual(sent.url, "https://tc.example/api/queue/v1/task/task/runs/0/artifacts/public%2Fa%20b")
        self.assertEqual(sent.body, b'{"storageType":"s3"}')
        self.assertEqual(sent.headers["Content-Type"], "application/json")

    def test_a_call_without_a_body_sends_none(self) -> None:
        self.queue().report_completed("task", 0)
        self.assertIsNone(self.wire.sent[0].body)
        self.assertNotIn("Content-Type", self.wire.sent[0].headers)

    def test_query_by_keyword(self) -> None:
        self.queue().list_artifacts("task", 0, limit=10, continuation_token="a&b/")
        self.assertTrue(self.wire.sent[0].url.endswith("/artifacts?limit=10&continuationToken=a%26b%2F"))

    def test_a_query_parameter_that_is_none_is_left_out(self) -> None:
        self.queue().list_artifacts("task", 0, continuation_token=None)
        self.assertTrue(self.wire.sent[0].url.endswith("/artifacts"))

    def test_the_answer_comes_as_it_is(self) -> None:
        call = self.queue().status("task")
        self.wire.answer(200, {"status": {"state": "running", "runs": []}})
        self.assertEqual(self.successResultOf(call), {"status": {"state": "running", "runs": []}})

    def test_an_empty_answer_is_none(self) -> None:
        call = self.queue().finish_artifact("task", 0, "x", {"uploadId": "u"})
        self.wire.answer(204, b"")
        self.assertIsNone(self.successResultOf(call))

    def test_a_redirect_is_an_answer(self) -> None:
        call = self.queue().get_artifact("task", 0, "x")
        self.wire.answer(303, {"storageType": "s3", "url": "https://bucket/x"})
        self.assertEqual(self.successResultOf(call)["url"], "https://bucket/x")

    def test_wrong_calls_are_the_callers_fault(self) -> None:
        queue = self.queue()
        self.assertRaises(TypeError, queue.report_completed, "task")
        self.assertRaises(TypeError, queue.report_exception, "task", 0)
        self.assertRaises(TypeError, queue.status, "task", limit=1)
        self.assertRaises(AttributeError, getattr, queue, "claim_everything")
        self.assertEqual(self.wire.sent, [])

    def test_the_queue_has_all_calls_that_a_worker_makes(self) -> None:
        queue = self.queue()
        calls = [name for name in vars(QueueCalls) if not name.startswith("_")]
        self.assertIn("claim_work", calls)
        for name in calls:
            parameters = list(signature(getattr(QueueCalls, name)).parameters)[1:]
            getattr(queue, name)(*parameters)
        self.assertEqual(len(self.wire.sent), len(calls))

    def test_each_service_has_its_own_calls(self) -> None:
        auth = Auth(cast(HTTP, self.wire), "https://tc.example", lambda: None, self.clock)
        auth.expand_scopes({"scopes": ["a"]})
        self.assertEqual(self.wire.sent[0].url, "https://tc.example/api/auth/v1/scopes/expand")


class SigningTests(Case):
    def test_signed_for_exactly_what_is_sent(self) -> None:
        self.queue().list_artifacts("task/x", 0, limit=1)
        [sent] = self.wire.sent
        target = "/api/queue/v1/task/task%2Fx/runs/0/artifacts?limit=1"
        self.assertTrue(sent.authorization.is_signed_with("token", "GET", target, "tc.example", 443))
        self.assertEqual((sent.authorization.client_id, sent.authorization.timestamp), ("me", 1000))
        self.assertEqual(open_ext(sent.authorization.ext), {"certificate": {"version": 1}})

    def test_without_credentials_unsigned(self) -> None:
        self.credentials = None
        self.queue().status("task")
        self.assertNotIn("Authorization", self.wire.sent[0].headers)

    def test_authorized_scopes_go_along(self) -> None:
        self.queue(authorized_scopes=["a:*"]).status("task")
        self.assertEqual(open_ext(self.wire.sent[0].authorization.ext)["authorizedScopes"], ["a:*"])

    def test_another_attempt_is_signed_anew_with_what_is_valid_then(self) -> None:
        self.queue().report_completed("task", 0)
        self.wire.lose()
        self.credentials = Credentials("me", "newer")
        self.clock.advance(1)
        first, second = (sent.authorization for sent in self.wire.sent)
        self.assertNotEqual(first.nonce, second.nonce)
        self.assertEqual(second.timestamp, 1001)
        target = "/api/queue/v1/task/task/runs/0/completed"
        self.assertTrue(second.is_signed_with("newer", "POST", target, "tc.example", 443))


class TimeTests(Case):
    """A machine whose clock says 1000 s after some noon, and a server whose clock says something else."""

    NOON = 1_900_000_000

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(self.NOON)

    def date(self, seconds: float) -> dict[str, str]:
        return {"date": formatdate(self.NOON + seconds, usegmt=True)}

    def times(self) -> list[int]:
        return [sent.authorization.timestamp - self.NOON for sent in self.wire.sent]

    def test_what_was_refused_for_the_wrong_time_is_signed_by_the_server_s(self) -> None:
        call = self.queue().reclaim_task("task", 0)
        self.wire.answer(401, {"code": "AuthenticationFailed", "message": "stale"}, self.date(90_000))
        self.wire.answer(409, ERROR, self.date(90_000))
        self.assertEqual((self.times(), self.clock.getDelayedCalls()), ([1000, 90_000], []))
        self.assertEqual(self.failureResultOf(call, CallFailed).value.status, 409)

    def test_once(self) -> None:
        call = self.queue().reclaim_task("task", 0)
        for _ in range(2):
            self.wire.answer(401, {"code": "AuthenticationFailed", "message": "stale"}, self.date(90_000))
        self.assertEqual(self.failureResultOf(call, CallFailed).value.status, 401)
        self.assertEqual(len(self.wire.sent), 2)

    def test_what_was_refused_for_another_reason_is_final(self) -> None:
        for status, seconds in ((401, 1010), (403, 90_000)):
            queue = self.queue()
            call = queue.status("task")
            self.wire.answer(status, {"code": "X", "message": "m"}, self.date(seconds))
            self.failureResultOf(call, CallFailed)

    def test_a_claim_work_too_for_it_has_claimed_nothing(self) -> None:
        queue = self.queue()
        call = queue.claim_work("proj/queue", {})
        self.wire.answer(401, {"code": "AuthenticationFailed", "message": "stale"}, self.date(90_000))
        self.wire.answer(200, {"tasks": []}, self.date(90_000))
        self.assertEqual((self.successResultOf(call), queue.lost_claims), ({"tasks": []}, 0))

    def test_who_shares_what_is_known_need_not_be_refused(self) -> None:
        time = ServerTime(self.clock.seconds)
        self.queue(time=time).status("task")
        self.wire.answer(200, {"status": {"runs": []}}, self.date(90_000))
        self.queue(time=time).status("task")
        self.assertEqual(self.times(), [1000, 90_000])

    def test_who_only_stands_in_between_is_not_asked_for_the_time(self) -> None:
        time = ServerTime(self.clock.seconds)
        for status, content, headers in (
            (502, b"<html>", self.date(90_000)),
            (502, {"message": "bad gateway"}, self.date(90_000)),
            (401, {"code": "LoginFirst", "message": "the proxy wants a password"}, self.date(90_000)),
            (401, {"message": "who are you?"}, self.date(90_000)),
            (404, {"message": "no such page"}, self.date(90_000)),
            (200, {"hello": "you are connected"}, self.date(90_000)),
            (200, b"<html>", self.date(90_000)),
            (204, b"", self.date(90_000)),
            (200, {"status": {"runs": []}}, {**self.date(90_000), "age": "30"}),
            (200, {"status": {"runs": []}}, {}),
        ):
            self.queue(time=time).status("task").addErrback(lambda failure: None)
            self.wire.answer(status, content, headers)
            self.assertFalse(time.known)


class ShapeTests(Case):
    """Answers that are JSON, but not Taskcluster's; which these are is a matter of L{tcworker.client.answers}."""

    def test_none_is_believed(self) -> None:
        self.patch(services, "ATTEMPTS", 1)
        auth = Auth(cast(HTTP, self.wire), "https://tc.example", lambda: None, self.clock)
        objects = Object(cast(HTTP, self.wire), "https://tc.example", lambda: None, self.clock)
        for call in (
            lambda: self.queue().reclaim_task("task", 0),
            lambda: self.queue().create_artifact("task", 0, "x", {"storageType": "s3"}),
            lambda: self.queue().finish_artifact("task", 0, "x", {}),
            lambda: objects.create_upload("x", {}),
            lambda: auth.expand_scopes({"scopes": []}),
        ):
            answer = call()
            self.wire.answer(200, {"hello": "you are connected"})
            self.failureResultOf(answer, UnexpectedAnswer)

    def test_it_is_asked_for_again(self) -> None:
        call = self.queue().report_completed("task", 0)
        self.wire.answer(200, {})
        self.clock.advance(1)
        self.wire.answer(200, {"status": {"taskId": "task"}})
        self.successResultOf(call)

    def test_a_claim_that_it_may_have_held_is_lost(self) -> None:
        queue = self.queue()
        call = queue.claim_work("p/q", {})
        self.wire.answer(200, {"tusks": []})
        self.failureResultOf(call, UnexpectedAnswer)
        self.assertEqual(queue.lost_claims, 1)


class TroubleTests(Case):
    def test_a_refusal_is_final_and_says_why(self) -> None:
        call = self.queue().reclaim_task("task", 0)
        self.wire.answer(409, ERROR)
        error = self.failureResultOf(call, CallFailed).value
        self.assertEqual((error.method, error.status, error.code), ("reclaimTask", 409, "RequestConflict"))
        self.assertEqual(error.message, "Run 0 is not running")
        self.assertNotIn("xyz", repr(error))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_4xx_is_repeated(self) -> None:
        for status in (400, 401, 403, 404, 408, 409, 410, 413, 424, 429):
            call = self.queue().status("task")
            self.wire.answer(status, {"code": "X", "message": "m"})
            self.failureResultOf(call, CallFailed)

    def test_5xx_and_lost_answers_are_repeated_with_growing_delays(self) -> None:
        call = self.queue().status("task")
        for number, delay in enumerate((1, 2, 4, 8), start=1):
            if number % 2:
                self.wire.answer(503, b"<html>")
            else:
                self.wire.lose()
            self.clock.advance(delay - 0.01)
            self.assertEqual(len(self.wire.sent), number)
            self.clock.advance(0.01)
        self.wire.answer(200, {"status": {"runs": []}})
        self.assertEqual(self.successResultOf(call), {"status": {"runs": []}})
        self.assertEqual(len({sent.url for sent in self.wire.sent}), 1)

    def test_what_passes_within_a_moment_is_not_said(self) -> None:
        self.patch(services, "BACKOFF", Backoff(0.1, 30, jitter=0))
        self.queue().status("task")
        with capturedLogs() as events:
            for seconds in (0.1, 0.2, 0.4, 0.8, 1.6):
                self.wire.lose()
                self.clock.advance(seconds)
        said = [formatEvent(event) for event in events if event["log_level"] >= LogLevel.info]
        self.assertEqual([line.partition("; ")[2] for line in said], ["trying again in 1.6 s"])

    def test_not_for_ever(self) -> None:
        call = self.queue().status("task")
        for delay in (1, 2, 4, 8, 16):
            self.wire.answer(500, {"code": "InternalServerError", "message": "incident 1"})
            self.clock.advance(delay)
        self.wire.answer(500, {"code": "InternalServerError", "message": "incident 2"})
        self.assertEqual(self.failureResultOf(call, CallFailed).value.message, "incident 2")

    def test_whoever_is_in_a_hurry_says_how_long_each_attempt_may_take(self) -> None:
        left = [20.0, 4.0]
        self.queue(silence=lambda usual: min(usual, left.pop(0))).status("task")
        self.wire.lose()
        self.clock.advance(1)
        self.assertEqual([sent.timeout for sent in self.wire.sent], [20, 4])

    def test_where_nobody_answers_the_error_says_so(self) -> None:
        self.patch(services, "ATTEMPTS", 1)
        call = self.queue().status("task")
        self.wire.lose(Unsent)
        error = self.failureResultOf(call, Unreachable).value
        self.assertEqual(str(error), "status: https://tc.example: connection lost")

    def test_a_page_in_the_place_of_json_is_no_answer(self) -> None:
        call = self.queue().status("task")
        self.wire.answer(200, b"<html>please log in</html>", {"content-type": "text/html"})
        self.clock.advance(1)
        self.wire.answer(200, {"status": {"runs": []}})
        self.assertEqual(self.successResultOf(call), {"status": {"runs": []}})

    def test_json_without_a_bottom_is_no_answer_either(self) -> None:
        call = self.queue().claim_work("proj/queue", {})
        self.wire.answer(200, b"[" * 100_000 + b"]" * 100_000)
        self.assertIn("nested too deeply", str(self.failureResultOf(call, Unreachable).value))

    def test_an_error_artifact_says_its_reason(self) -> None:
        call = self.queue().get_artifact("task", 0, "x")
        self.wire.answer(424, {"reason": "file-missing-on-worker", "message": "no such file"})
        error = self.failureResultOf(call, CallFailed).value
        self.assertEqual((error.code, error.message), ("file-missing-on-worker", "no such file"))

    def test_an_error_without_words(self) -> None:
        for content in (b"", b"<html>", [1], {"error": "Not found"}):
            call = self.queue().status("task")
            self.wire.answer(404, content)
            self.assertEqual(self.failureResultOf(call, CallFailed).value.status, 404)

    def test_signatures_in_addresses_are_not_passed_on(self) -> None:
        call = self.queue().status("task")
        self.wire.answer(400, {"code": "X", "message": "bad url https://bucket/x?X-Signature=secret&b=c here"})
        self.assertEqual(self.failureResultOf(call, CallFailed).value.message, "bad url https://bucket/x?… here")

    def test_cancelling_ends_the_request(self) -> None:
        call = self.queue().status("task")
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.assertTrue(self.wire.sent[0].cancelled)

    def test_a_call_that_was_given_up_is_not_made_again_whatever_it_ended_with(self) -> None:
        self.wire.cancelled_with = Unreachable("GET http://x", "connection lost")
        call = self.queue().status("task")
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.assertEqual((len(self.wire.sent), self.clock.getDelayedCalls()), (1, []))

    def test_cancelling_between_attempts_ends_the_waiting(self) -> None:
        call = self.queue().status("task")
        self.wire.lose()
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ClaimWorkTests(Case):
    def claim(self) -> tuple[Queue, Deferred[JSON]]:
        queue = self.queue()
        return queue, queue.claim_work("proj/queue", {"tasks": 2})

    def test_asks_as_any_call_does_but_with_more_time_than_the_queue_waits(self) -> None:
        _, call = self.claim()
        [sent] = self.wire.sent
        self.assertEqual(sent.url, "https://tc.example/api/queue/v1/claim-work/proj%2Fqueue")
        self.assertEqual(sent.body, b'{"tasks":2}')
        self.assertGreaterEqual(sent.timeout, 30)
        self.wire.answer(200, {"tasks": []})
        self.assertEqual(self.successResultOf(call), {"tasks": []})

    def test_is_never_repeated(self) -> None:
        for trouble in (self.wire.lose, lambda: self.wire.answer(503, b"")):
            _, call = self.claim()
            trouble()
            self.failureResultOf(call)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_lost_answer_is_counted(self) -> None:
        queue, call = self.claim()
        self.wire.lose()
        self.failureResultOf(call, Unreachable)
        self.assertEqual(queue.lost_claims, 1)

    def test_who_waits_for_it_says_so_and_nobody_else(self) -> None:
        queue, call = self.claim()
        counted: list[int] = []
        call.addErrback(lambda failure: counted.append(queue.lost_claims))
        with capturedLogs() as events:
            self.wire.lose()
        self.assertEqual((counted, events), ([1], []))

    def test_one_that_nobody_waits_for_is_said(self) -> None:
        self.claim()[1].addErrback(lambda failure: None).cancel()
        with capturedLogs() as events:
            self.wire.lose()
        self.assertIn("connection lost); 1 so far", formatEvent(events[0]))

    def test_a_lost_answer_has_a_reason_also_when_the_client_was_closed(self) -> None:
        with capturedLogs() as events:
            self.claim()[1].addErrback(lambda _: None)
            self.wire.sent[0].answer.cancel()
        [line] = [formatEvent(event) for event in events]
        self.assertEqual(line, "the answer of a claimWork is lost (the client was closed before it came); 1 so far")

    def test_an_error_of_something_in_between_counts_as_a_lost_answer(self) -> None:
        queue, call = self.claim()
        self.wire.answer(502, b"<html>bad gateway</html>")
        self.failureResultOf(call, CallFailed)
        self.assertEqual(queue.lost_claims, 1)

    def test_nothing_is_lost_where_the_queue_never_claimed(self) -> None:
        queue = self.queue()
        for trouble in (
            lambda: self.wire.lose(Unsent),
            lambda: self.wire.answer(500, {"code": "InternalServerError", "message": "m"}),
            lambda: self.wire.answer(403, {"code": "InsufficientScopes", "message": "m"}),
        ):
            call = queue.claim_work("proj/queue", {})
            trouble()
            self.failureResultOf(call)
        self.assertEqual(queue.lost_claims, 0)

    def test_cancelling_leaves_the_request_alone_and_counts_what_it_brings(self) -> None:
        queue, call = self.claim()
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.assertFalse(self.wire.sent[0].cancelled)
        self.wire.answer(200, {"tasks": [{"runId": 0}]})
        self.assertEqual(queue.lost_claims, 1)

    def test_an_odd_answer_that_nobody_waits_for_may_have_held_a_claim(self) -> None:
        queue, call = self.claim()
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.wire.answer(200, ["odd"])
        self.assertEqual(queue.lost_claims, 1)

    def test_an_empty_answer_that_nobody_waits_for_is_no_loss(self) -> None:
        queue, call = self.claim()
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.wire.answer(200, {"tasks": []})
        self.assertEqual(queue.lost_claims, 0)


class WireTests(TestCase):
    timeout = 30

    async def test_over_a_real_connection(self) -> None:
        web = Web(lambda request: b'{"status": {"state": "pending"}}')
        port = web.listen(self)
        http = HTTP(reactor)
        self.addCleanup(http.close)
        queue = Queue(http, f"http://127.0.0.1:{port}", lambda: Credentials("me", "token"), reactor)
        self.assertEqual(await queue.create_task("a/b|c", {"x": 1}), {"status": {"state": "pending"}})
        [(method, target, headers, body)] = web.seen
        self.assertEqual((method, target, body), ("PUT", "/api/queue/v1/task/a%2Fb%7Cc", b'{"x":1}'))
        authorization = Authorization.parse(headers["authorization"])
        self.assertTrue(authorization.is_signed_with("token", "PUT", target, "127.0.0.1", port))

    async def test_given_up_while_there_is_no_connection_yet(self) -> None:
        http = HTTP(reactor)
        self.addCleanup(http.close)
        call = Queue(http, f"http://127.0.0.1:{silent(self)}", lambda: None, reactor).status("task")
        await pause(reactor, 0.02)
        call.cancel()
        self.failureResultOf(call, CancelledError)
