"""The HTTP layer that all services share: from a request to an answer, in the order that decides which error wins.

The order (contracts of the queue, 0.2): body, scopes that need only the path, parameters, query, schema, handler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.embedded import answers, dates, incoming, payload
from tcworker.embedded.auth.authenticator import Authenticator
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.faults import ApiError
from tcworker.embedded.routing import Route, RouteTable, fill_in
from tcworker.interfaces import JSON
from tcworker.waiting import Executor, Loose

T = TypeVar("T")

LONG = 50_000
"""Bytes of a body with which one can be busy for so long that others would notice."""


@dataclass(frozen=True)
class Api:
    """A service: its routes, and patterns for what its paths' parameters may be."""

    name: str
    routes: RouteTable
    patterns: Mapping[str, str]


@dataclass
class _Exchange:
    """What is known of a request so far.

    @ivar body: parsed; C{{}} until it is, and if it cannot be.
    @ivar is_long: whether what is done with the body, or with the answer's, takes so long that it is done in a thread.
    """

    request: Request
    found: tuple[Api, Route, dict[str, str]] | None = None
    body: JSON = field(default_factory=dict)
    is_long: bool = False


class ApiResource(Resource):
    """Serves C{/api/<service>/v1/…} for all services."""

    isLeaf = True

    def __init__(
        self, clock: IReactorTime, authenticator: Authenticator, apis: Sequence[Api], threads: Executor
    ) -> None:
        super().__init__()
        self._clock = clock
        self._authenticator = authenticator
        self._apis = {api.name: api for api in apis}
        self._threads = threads
        self._log = Logger()
        self._answering = Loose(self._log)

    def render(self, request: Request) -> int:
        """Answer in time; a caller that goes away ends the wait."""
        answering = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        self._answering.run(answering, "answering a call")
        return NOT_DONE_YET

    async def end(self, seconds: float) -> None:
        """Return when every call under way is answered, or given up after so many seconds."""
        await self._answering.end(self._clock, seconds)

    async def _answer(self, request: Request) -> None:
        exchange = _Exchange(request)
        try:
            reply = await self._reply(exchange)
            exchange.is_long = exchange.is_long or answers.is_long(reply.body, LONG)
            body = await self._weigh(exchange, answers.encode, reply.body, answers.takes_packed(request))
            answers.write(request, reply, body)
        except CancelledError:
            return
        except Exception:
            # What was stored long ago may be what cannot be sent.
            self._log.failure("a call could not be answered")
            answers.give_up(request)

    async def _reply(self, exchange: _Exchange) -> Reply:
        if exchange.request.method == b"OPTIONS":
            return Reply(204)
        try:
            request = exchange.request
            exchange.found = self._find(request.method.decode("latin-1"), request.path.decode("latin-1"))
            return await self._call(exchange, *exchange.found) if exchange.found else Reply(404, {"error": "Not found"})
        except ApiError as error:
            return self._refuse(error, exchange)
        except CancelledError:
            raise
        except Exception:
            return self._refuse(self._unforeseen(), exchange)

    async def _weigh(self, exchange: _Exchange, work: Callable[..., T], *args: Any) -> T:
        """Do something that takes the longer the longer a body is, in a thread if it is long."""
        return await self._threads.run(work, *args) if exchange.is_long else work(*args)

    def knows(self, method: str, target: str) -> bool:
        """Whether there is such a call."""
        try:
            return self._find(method, target.partition("?")[0]) is not None
        except ApiError:
            return False

    def _find(self, method: str, path: str) -> tuple[Api, Route, dict[str, str]] | None:
        segments = path.split("/")
        # The process as a whole is asked by load balancers, without a service's name.
        if len(segments) == 2 and segments[1].startswith("__"):
            segments = ["", "api", "queue", "v1", segments[1]]
        api = self._apis.get(segments[2]) if len(segments) > 4 and segments[3] == "v1" else None
        # Split first, decoded later: see L{tcworker.embedded.routing}.
        found = api and api.routes.find("GET" if method == "HEAD" else method, segments[4:])
        return (api, *found) if api and found else None

    async def _call(self, exchange: _Exchange, api: Api, route: Route, params: dict[str, str]) -> Reply:
        # This is the order of the real services: each step answers before the next one looks.
        request = exchange.request
        signed = incoming.signed(request, await self._take(exchange))
        identify = partial(self._authenticator.authenticate, signed)
        call = Call(params, {}, {}, incoming.headers(request), identify, signed)
        if route.scopes is not None:
            call.require(fill_in(route.scopes, params))
        incoming.check_params(params, api.patterns)
        query = incoming.check_query(request, route.query)
        checked = await self._weigh(exchange, payload.check, route, exchange.body, signed.content_type)
        answer = await route.handler(replace(call, query=query, body=checked))
        return answer if isinstance(answer, Reply) else Reply(200, answer)

    async def _take(self, exchange: _Exchange) -> bytes:
        """Take the body, and give what its signature is about."""
        request = exchange.request
        content, encoding = payload.read(request), (incoming.header(request, "content-encoding") or "").lower()
        # What is packed may be of any length.
        exchange.is_long = len(content) > LONG or encoding not in payload.PLAIN
        content_type = incoming.header(request, "content-type") or ""
        content, exchange.body = await self._weigh(exchange, payload.take, content, content_type, encoding)
        return content

    def _refuse(self, error: ApiError, exchange: _Exchange) -> Reply:
        name, body = "unknown", exchange.body
        params: Mapping[str, str] = {}
        if exchange.found:
            _, route, params = exchange.found
            name, body = route.name, route.show(body)
        headers = {"www-authenticate": "hawk"} if error.status == 401 else {}
        return Reply(error.status, error.body(name, params, body, dates.write(dates.now(self._clock))), headers)

    def _unforeseen(self) -> ApiError:
        incident = str(uuid4())
        self._log.failure("a call could not be answered, incident {incident}", failure=Failure(), incident=incident)
        return ApiError("InternalServerError", f"Internal Server Error, incidentId {incident}.")
