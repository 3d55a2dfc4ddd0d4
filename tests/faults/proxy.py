"""A proxy before a Taskcluster and its storage that lets requests meet their fates."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from tcworker.client.bodies import BytesBody
from tcworker.interfaces import JSON
from tcworker.waiting import Loose, pause
from tests.faults.fates import Call, Decide, Fate

LATE = 0.7
"""Seconds of a delay: longer than clients wait between two tries at first."""

_HOP_BY_HOP = {b"connection", b"content-length", b"transfer-encoding", b"keep-alive"}

_TAKES_NO_EFFECT = {Fate.DROPPED, Fate.RESET_BEFORE, Fate.ERROR_BEFORE, Fate.CUT, Fate.IMPOSTOR}

_IMPOSTORS = [(b"text/html", b"<html>Sign in to use this network</html>"), (b"application/json", b"{}"), (b"", b"")]


class ChaosProxy:
    """Listens, and hands requests on to a server.

    @param decide: what befalls each request; may be replaced at any time.
    @ivar url: by which clients call it.
    @ivar port: of the server that it stands before.
    @ivar met: how many calls of a name met which fate.
    @ivar harmed: what happened to the calls about each task that did not simply pass.
    @ivar lost_claims: the runs, as C{(task, run)}, in answers of claimWork that did not arrive whole.
    @ivar seen: called with each call when it has come.
    """

    def __init__(self, decide: Decide) -> None:
        self.decide = decide
        self.port = 0
        self.met: Counter[tuple[str, Fate]] = Counter()
        self.harmed: defaultdict[str | None, list[str]] = defaultdict(list)
        self.lost_claims: set[tuple[str, int]] = set()
        self.seen: Callable[[Call], None] = lambda call: None
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = 30
        # A repetition that nobody asked for would hide what happens.
        self._pool.retryAutomatically = False
        self._agent = Agent(reactor, pool=self._pool)
        self._loose = Loose(Logger())
        site = Site(_Everything(self))
        site.requestFactory = _ChaosRequest
        self._port: Any = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.url = f"http://127.0.0.1:{self._port.getHost().port}"

    async def stop(self) -> None:
        """Close all connections."""
        await self._port.stopListening()
        await self._loose.cancel()
        await self._pool.closeCachedConnections()

    def fate_of(self, call: Call) -> Fate:
        """Decide, and write it down."""
        fate = self.decide(call)
        self.met[call.name, fate] += 1
        if fate is not Fate.PASSES:
            self.harmed[call.task_id].append(f"{call.name} {call.path.rpartition('/')[2]}: {fate.name}")
        self.seen(call)
        return fate

    def serve(self, request: _ChaosRequest) -> None:
        """Do with a request what is to be done with it."""
        self._loose.run(self._serve(request), "a request")

    async def _serve(self, request: _ChaosRequest) -> None:
        upstream: Deferred[_Answer] = Deferred.fromCoroutine(self._pass_on(request))
        # Who has gone is waited for no longer: the server sees that, as it would without a proxy.
        request.notifyFinish().addErrback(lambda _: upstream.cancel())
        try:
            answer = await upstream
        except Exception:
            # Cancelled at any moment, a client of Twisted's says so in many ways.
            if request.gone:
                return
            raise
        if not request.deliver(answer):
            self._note_lost(request.call, answer)

    async def _pass_on(self, request: _ChaosRequest) -> _Answer:
        if request.fate in _TAKES_NO_EFFECT:
            return _Answer(502, Headers(), b"")
        answer = await self._forward(request)
        if request.fate is Fate.DELAYED:
            await pause(reactor, LATE)
        return answer

    async def _forward(self, request: _ChaosRequest) -> _Answer:
        given = request.requestHeaders.getAllRawHeaders()
        headers = Headers({name: values for name, values in given if name.lower() not in _HOP_BY_HOP})
        url = f"http://127.0.0.1:{self.port}".encode() + request.uri
        response = await self._agent.request(request.method, url, headers, BytesBody(request.content.read()))
        return _Answer(response.code, response.headers, await readBody(response))

    def _note_lost(self, call: Call, answer: _Answer) -> None:
        if call.name == "claimWork" and answer.status == 200:
            zipped = answer.headers.hasHeader("content-encoding")
            tasks: JSON = json.loads(gzip.decompress(answer.body) if zipped else answer.body)["tasks"]
            self.lost_claims |= {(claim["status"]["taskId"], claim["runId"]) for claim in tasks}


class _Answer:
    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class _Everything(Resource):
    isLeaf = True

    def __init__(self, proxy: ChaosProxy) -> None:
        super().__init__()
        self.proxy = proxy

    def render(self, request: Request) -> int:
        assert isinstance(request, _ChaosRequest)
        self.proxy.serve(request)
        return NOT_DONE_YET


class _ChaosRequest(Request):
    """A request whose fate is known as soon as its headers have come."""

    fate = Fate.PASSES
    call = Call("", "")
    _left: float = float("inf")

    def gotLength(self, length: int | None) -> None:
        channel: Any = self.channel
        self.content = BytesIO()
        path = unquote(channel._path.decode("latin-1").partition("?")[0])
        self.call = Call(channel._command.decode("latin-1"), path, length or 0)
        self.fate = channel.site.resource.proxy.fate_of(self.call)
        if self.fate is Fate.CUT:
            self._left = (length or 0) / 2

    def handleContentChunk(self, data: bytes) -> None:
        self.content.write(data)
        self._left -= len(data)
        if self._left <= 0:
            self._abort()

    @property
    def gone(self) -> bool:
        """Whether who asked has hung up."""
        return bool(self._disconnected or not self.transport.connected)

    def deliver(self, answer: _Answer) -> bool:
        """Answer as the fate has it; whether who asked gets it whole."""
        if self.gone:
            return False
        deliver = _DELIVERIES.get(self.fate)
        if deliver is None:
            self._send(answer)
        else:
            deliver(self, answer)
        return deliver is None

    def _send(self, answer: _Answer, length: int | None = None) -> None:
        self.setResponseCode(answer.status)
        for name, values in answer.headers.getAllRawHeaders():
            if name.lower() not in _HOP_BY_HOP:
                self.responseHeaders.setRawHeaders(name, values)
        if answer.status != 204:
            self.setHeader(b"content-length", str(len(answer.body)).encode())
        self.write(answer.body[:length])
        if length is None:
            self.finish()

    def _truncate(self, answer: _Answer) -> None:
        self._send(answer, len(answer.body) // 2)
        self._close(answer)

    def _close(self, answer: _Answer) -> None:
        self.transport.loseConnection()

    def _reset(self, answer: _Answer) -> None:
        self._abort()

    def _abort(self) -> None:
        channel: Any = self.channel
        if channel is not None:
            channel.transport.abortConnection()

    def _fail(self, answer: _Answer) -> None:
        self._send(_Answer(500, Headers({b"content-type": [b"text/html"]}), b"<html>Internal Server Error</html>"))

    def _pretend(self, answer: _Answer) -> None:
        kind, body = _IMPOSTORS[len(self.uri) % len(_IMPOSTORS)]
        self._send(_Answer(200, Headers({b"content-type": [kind]}), body))


_DELIVERIES: dict[Fate, Callable[[_ChaosRequest, _Answer], None]] = {
    Fate.DROPPED: _ChaosRequest._close,
    Fate.RESET_BEFORE: _ChaosRequest._reset,
    Fate.RESET_AFTER: _ChaosRequest._reset,
    Fate.CUT: _ChaosRequest._reset,
    Fate.ERROR_BEFORE: _ChaosRequest._fail,
    Fate.ERROR_AFTER: _ChaosRequest._fail,
    Fate.TRUNCATED: _ChaosRequest._truncate,
    Fate.IMPOSTOR: _ChaosRequest._pretend,
}
