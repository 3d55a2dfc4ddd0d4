"""The proxy does to requests what their fates say, and knows which of them took effect."""

from __future__ import annotations

import json

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.server import Site

from tcworker.client.http import HTTP, Answer
from tcworker.errors import Unreachable
from tests.client.servers import Web, listen
from tests.faults.fates import Call, Fate
from tests.faults.proxy import ChaosProxy

CLAIMED = {"tasks": [{"status": {"taskId": "t"}, "runId": 3}]}
CLAIM_WORK = "/api/queue/v1/claim-work/a/b"


class Proxied(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.web = Web(self.answer)
        self.fate = Fate.PASSES
        self.seen: list[Call] = []
        self.proxy = ChaosProxy(lambda call: self.fate)
        self.addCleanup(self.proxy.stop)
        self.proxy.port = listen(self, Site(self.web))
        self.proxy.seen = self.seen.append
        self.http = HTTP(reactor)
        self.addCleanup(self.http.close)

    def answer(self, request: Request) -> bytes:
        request.setHeader("x-kept", "yes")
        return json.dumps(CLAIMED).encode()

    def call(self, fate: Fate, path: str = "/x?y=1", body: bytes = b"a body") -> Deferred[Answer]:
        self.fate = fate
        return self.http.request("POST", self.proxy.url + path, headers={"X-Given": "1"}, body=body, timeout=20)

    async def test_what_passes_is_as_it_was(self) -> None:
        answer = await self.call(Fate.PASSES)
        self.assertEqual((answer.status, json.loads(answer.body), answer.headers["x-kept"]), (200, CLAIMED, "yes"))
        ((method, target, headers, body),) = self.web.seen
        self.assertEqual((method, target, headers["x-given"], body), ("POST", "/x?y=1", "1", b"a body"))
        # It is signed for the host that was called.
        self.assertEqual(f"http://{headers['host']}", self.proxy.url)
        self.assertEqual(self.seen, [Call("POST", "/x", 6)])

    async def test_a_late_one_too(self) -> None:
        self.assertEqual((await self.call(Fate.DELAYED)).status, 200)

    async def test_connections_that_end_without_an_answer(self) -> None:
        for fate, effects in (
            (Fate.DROPPED, 0),
            (Fate.RESET_BEFORE, 0),
            (Fate.RESET_AFTER, 1),
            (Fate.TRUNCATED, 1),
            (Fate.CUT, 0),
        ):
            self.web.seen.clear()
            await self.assertFailure(self.call(fate), Unreachable)
            self.assertEqual(len(self.web.seen), effects, fate)

    async def test_errors_that_are_not_the_server_s(self) -> None:
        for fate, effects in ((Fate.ERROR_BEFORE, 0), (Fate.ERROR_AFTER, 1)):
            self.web.seen.clear()
            answer = await self.call(fate)
            self.assertEqual((answer.status, len(self.web.seen)), (500, effects), fate)
            self.assertIn(b"<html>", answer.body)

    async def test_an_impostor_says_all_is_well(self) -> None:
        bodies = {(await self.call(Fate.IMPOSTOR, "/" + "x" * length)).body for length in range(3)}
        self.assertEqual((len(bodies), self.web.seen), (3, []))

    async def test_claims_are_lost_when_their_answer_is(self) -> None:
        await self.call(Fate.PASSES, CLAIM_WORK)
        self.assertEqual(self.proxy.lost_claims, set())
        for fate in (Fate.RESET_AFTER, Fate.TRUNCATED):
            self.proxy.lost_claims.clear()
            await self.assertFailure(self.call(fate, CLAIM_WORK), Unreachable)
            self.assertEqual(self.proxy.lost_claims, {("t", 3)}, fate)
        self.proxy.lost_claims.clear()
        await self.call(Fate.ERROR_AFTER, CLAIM_WORK)
        self.assertEqual(self.proxy.lost_claims, {("t", 3)})

    async def test_it_counts_what_it_did(self) -> None:
        await self.call(Fate.PASSES, CLAIM_WORK)
        await self.call(Fate.ERROR_BEFORE, CLAIM_WORK)
        self.assertEqual(self.proxy.met, {("claimWork", Fate.PASSES): 1, ("claimWork", Fate.ERROR_BEFORE): 1})
