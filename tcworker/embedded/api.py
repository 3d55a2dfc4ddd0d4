"""The HTTP layer that all services share: from a request to an answer, in the order that decides which error wins.

The order (contracts of the queue, 0.2): body, scopes that need only the path, parameters, query, schema, handler.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, cast
from urllib.parse import parse_qsl
from uuid import uuid4

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.embedded import dates
from tcworker.embedded.auth.authenticator import Authenticator
from tcworker.embedded.calls import Call, Reply, SignedRequest, is_json
from tcworker.embedded.faults import ApiError
from tcworker.embedded.routing import Route, RouteTable, fill_in
from tcworker.interfaces import JSON
from tcworker.waiting import Loose

BODY_LIMIT = 10_000_000

HEADERS: Mapping[bytes, bytes] = {
    b"Content-Type": b"application/json; charset=utf-8",
    b"Cache-Control": b"no-store no-cache must-revalidate",
    b"Access-Control-Allow-Origin": b"*",
    b"Access-Control-Max-Age": b"900",
    b"Access-Control-Allow-Methods": b"GET,HEAD,PUT,PATCH,POST,DELETE,TRACE,CONNECT",
    b"Access-Control-Allow-Headers": b"X-Requested-With,Content-Type,Authorization,Accept,Origin,Cache-Control",
    b"X-Content-Type-Options": b"nosniff",
    b"Content-Security-Policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}


@dataclass(frozen=True)
class Api:
    """A service: its routes, and patterns for what its paths' parameters may be."""

    name: str
    routes: RouteTable
    patterns: Mapping[str, str]


class ApiResource(Resource):
    """Serves C{/api/<service>/v1/…} for all services."""

    isLeaf = True

    def __init__(self, clock: IReactorTime, authenticator: Authenticator, apis: Sequence[Api]) -> None:
        super().__init__()
        self._clock = clock
        self._authenticator = authenticator
        self._apis = {api.name: api for api in apis}
        self._log = Logger()
        self._answering = Loose(self._log)

    def render(self, request: Request) -> int:
        """Answer in time; a caller that goes away ends the wait."""
        answering = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        self._answering.run(answering, "answering a call")
        return NOT_DONE_YET

    def wait(self) -> Deferred[None]:
        """Fire when every call under way is answered."""
        return self._answering.wait()

    async def _answer(self, request: Request) -> None:
        found = None
        if request.method == b"OPTIONS":
            reply: Reply = Reply(204)
        else:
            try:
                found = self._find(request)
                reply = await self._call(request, *found) if found else Reply(404, {"error": "Not found"})
            except ApiError as error:
                reply = self._refuse(error, request, found)
            except CancelledError:
                return
            except Exception:
                reply = self._refuse(self._unforeseen(), request, found)
        _write(request, reply)

    def _find(self, request: Request) -> tuple[Api, Route, dict[str, str]] | None:
        segments = request.path.decode("latin-1").split("/")
        # The process as a whole is asked by load balancers, without a service's name.
        if len(segments) == 2 and segments[1].startswith("__"):
            segments = ["", "api", "queue", "v1", segments[1]]
        api = self._apis.get(segments[2]) if len(segments) > 4 and segments[3] == "v1" else None
        # Split first, decoded later: see L{tcworker.embedded.routing}.
        method = "GET" if request.method == b"HEAD" else request.method.decode("latin-1")
        found = api and api.routes.find(method, segments[4:])
        return (api, *found) if api and found else None

    async def _call(self, request: Request, api: Api, route: Route, params: dict[str, str]) -> Reply:
        # This is the order of the real services: each step answers before the next one looks.
        content = _read(request)
        body = _parse(content, request.getHeader("content-type") or "")
        signed = _signed(request, content)
        identify = partial(self._authenticator.authenticate, signed)
        call = Call(params, {}, {}, _headers(request), identify, signed)
        if route.scopes is not None:
            call.require(fill_in(route.scopes, params))
        _check_params(params, api.patterns)
        query = _check_query(request, route.query)
        checked = _check_body(route, body, request)
        answer = await route.handler(Call(params, query, checked, call.headers, identify, signed))
        return answer if isinstance(answer, Reply) else Reply(200, answer)

    def _refuse(self, error: ApiError, request: Request, found: tuple[Api, Route, dict[str, str]] | None) -> Reply:
        name, params = (found[1].name, found[2]) if found else ("unknown", {})
        payload = _parse_leniently(request)
        if found:
            payload = found[1].show(payload)
        headers = {"www-authenticate": "hawk"} if error.status == 401 else {}
        return Reply(error.status, error.body(name, params, payload, dates.write(dates.now(self._clock))), headers)

    def _unforeseen(self) -> ApiError:
        incident = str(uuid4())
        self._log.failure("A call could not be answered, incident {incident}", failure=Failure(), incident=incident)
        return ApiError("InternalServerError", f"Internal Server Error, incidentId {incident}.")


def _signed(request: Request, content: bytes) -> SignedRequest:
    host, port = _address(request)
    return SignedRequest(
        method=request.method.decode("latin-1"),
        target=request.uri.decode("latin-1"),
        host=host,
        port=port,
        authorization=request.getHeader("authorization"),
        content_type=request.getHeader("content-type") or "",
        content=content,
    )


def _body_of(request: Request) -> IO[bytes]:
    return cast(IO[bytes], request.content)


def _read(request: Request) -> bytes:
    content = _body_of(request).read(BODY_LIMIT + 1)
    # 500, not 413: the limit is that of a library which the real services do not translate.
    if len(content) > BODY_LIMIT:
        raise ApiError("InternalServerError", f"The body is larger than {BODY_LIMIT} bytes.")
    return content


def _parse(content: bytes, content_type: str) -> JSON:
    """Read a body as the real services do: no other type than JSON, and nothing but objects and arrays."""
    if not content or not is_json(content_type):
        return {}
    try:
        body = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError("MalformedPayload", f"The body is not JSON: {error}") from None
    if not isinstance(body, dict | list):
        raise ApiError("MalformedPayload", "The body must be a JSON object or array.")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parse_leniently(request: Request) -> JSON:
    """What an error's C{requestInfo} shows of the body."""
    _body_of(request).seek(0)
    try:
        return _parse(_read(request), request.getHeader("content-type") or "")
    except ApiError:
        return {}


def _check_params(params: Mapping[str, str], patterns: Mapping[str, str]) -> None:
    faults = [
        f"{name} {value!r} must match {patterns[name]}"
        for name, value in params.items()
        if name in patterns and not re.fullmatch(patterns[name], value)
    ]
    if faults:
        raise ApiError("InvalidRequestArguments", "Invalid URL patterns:\n" + "\n".join(faults))


def _check_query(request: Request, known: Mapping[str, str]) -> dict[str, str]:
    _, _, text = request.uri.decode("latin-1").partition("?")
    query = dict(parse_qsl(text, keep_blank_values=True))
    # A signature in the query is known everywhere.
    query.pop("bewit", None)
    faults = [
        f"{key}={value!r} must match {known[key]}" if key in known else f"{key} is not a known key"
        for key, value in query.items()
        if key not in known or not re.fullmatch(known[key], value)
    ]
    if faults:
        raise ApiError("InvalidRequestArguments", "Invalid query:\n" + "\n".join(faults))
    return query


def _check_body(route: Route, body: JSON, request: Request) -> JSON:
    if route.body is None:
        return body
    if not is_json(request.getHeader("content-type") or ""):
        raise ApiError("MalformedPayload", "The body must come with Content-Type: application/json.")
    return route.body.check(body)


def _headers(request: Request) -> dict[str, str]:
    every = request.requestHeaders.getAllRawHeaders()
    return {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in every}


def _address(request: Request) -> tuple[str, int]:
    """Give host and port that the caller signed (contracts of the queue, 3.1)."""
    host = request.getHeader("host") or ""
    name, colon, port = host.rpartition(":")
    forwarded = request.getHeader("x-forwarded-port")
    if not colon or port.endswith("]"):
        name, port = host, "443" if request.isSecure() else "80"
    if request.getHeader("x-forwarded-proto") == "https":
        port = "443"
    return name.lower(), int(forwarded or port) if (forwarded or port).isdigit() else 0


def _write(request: Request, reply: Reply) -> None:
    headers: Any = request.responseHeaders
    for name, value in HEADERS.items():
        headers.setRawHeaders(name, [value])
    trace = request.getHeader("x-taskcluster-trace-id")
    headers.setRawHeaders(b"x-for-trace-id", [(trace or str(uuid4())).encode()])
    headers.setRawHeaders(b"x-for-request-id", [str(uuid4()).encode()])
    for extra, text in reply.headers.items():
        headers.setRawHeaders(extra.encode(), [text.encode()])
    request.setResponseCode(reply.status)
    body = b"" if reply.body is None else json.dumps(reply.body).encode()
    if reply.status != 204:
        headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
    if body:
        request.write(body)
    request.finish()
