"""HTTP as everything in tcworker speaks it: one pool of connections, a limit on every call, no secret in an error."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hyperlink import EncodedURL
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse

from tcworker.client.bodies import Answering, BytesBody, Collected, Cut, TooLong, Upload
from tcworker.client.connections import Network, whom_to_trust
from tcworker.client.guard import GuardedReactor
from tcworker.client.limit import Limit
from tcworker.client.proxies import Proxies, Proxy
from tcworker.client.streaming import Head, Reader, Streaming
from tcworker.client.trouble import explain, shown
from tcworker.errors import Unreachable
from tcworker.networks import Networks

T = TypeVar("T")

IDLE_CONNECTION_SECONDS = 45
"""How long an idle connection is kept: less than servers keep theirs, so that no request meets a closing one."""

DOWNLOAD_IDLE = 60.0
"""Seconds in which at least a byte of a download must arrive."""

MOST_BYTES = 64 << 20
"""How long an answer may be that is kept in memory; a claim of 32 large tasks fits."""


NO_NETWORKS = Networks()


def _download_idle() -> float:
    return DOWNLOAD_IDLE


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    @ivar headers: by their names in lower case; repeated ones joined by commas.
    @ivar body: all of it, uncompressed; empty where it was given away piece by piece.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {shown(self.url)}"


class HTTP:
    """A client. It follows no redirects, keeps no cookies, and repeats no request by itself.

    Raises L{ConfigError} for a bundle without certificates or a proxy's address that is none.

    @param reactor: the whole reactor.
    @param connections: how many idle ones to each host are kept for the next call; any number may be in use.
    @param ca_bundle: a PEM file with the certificates to trust, C{None} for the system's.
    @param environ: where C{HTTP_PROXY}, C{HTTPS_PROXY} and C{NO_PROXY} may stand.
    @param denied: networks that no server may be in; proxies may. Calls to one fail with
        L{tcworker.client.trouble.Denied}.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        connections: int = 14,
        ca_bundle: str | None = None,
        environ: Mapping[str, str] = {},
        denied: Networks = NO_NETWORKS,
    ) -> None:
        self._reactor = reactor
        self._guarded = GuardedReactor(reactor, denied) if denied else None
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = connections
        self._pool.cachedConnectionTimeout = IDLE_CONNECTION_SECONDS
        # Twisted would repeat a GET by itself, which nobody would count or log.
        self._pool.retryAutomatically = False
        self._proxies = Proxies(environ)
        self._network = Network(reactor, whom_to_trust(ca_bundle), self._proxies, self._guarded or reactor)
        self._direct = _Way(Agent.usingEndpointFactory(reactor, self._network, self._pool))
        self._through: dict[Proxy, _Way] = {}
        self._running: set[Deferred[Any]] = set()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        body: bytes | IBodyProducer | None = None,
        timeout: float = 60.0,
        idle: float | None = None,
    ) -> Deferred[Answer]:
        """Send one request and read its answer, whatever the status. Cancelling it ends the request.

        Fails with L{Unreachable}, or L{tcworker.client.trouble.Unsent} if the server cannot have seen it, or with what
        the body's producer failed with. An error that is answered while the body is being sent ends that.

        @param url: percent-encoded already; sent as it stands.
        @param body: a producer that is not read to its end gets C{stopProducing}, even if it never started.
        @param timeout: seconds for the whole call.
        @param idle: if given, in place of C{timeout}: seconds without a byte moving either way.
        """
        collected = Collected(MOST_BYTES)
        request = _Request(method, url, headers)
        seconds = timeout if idle is None else idle
        limit = Limit(self._reactor, lambda: seconds, idle is not None)
        exchange = self._run(self._exchange(request, body, collected.write, limit), limit)
        return exchange.addCallback(lambda response: Answer(response.code, _flat(response), collected.content()))

    def download(self, url: str, write: Callable[[bytes], None]) -> Deferred[Answer]:
        """Get something large: each piece is given to C{write}; what that raises ends the call and comes out of it.

        Otherwise as L{request}. The answer's own body is empty.
        """
        limit = Limit(self._reactor, _download_idle, True)
        exchange = self._run(self._exchange(_Request("GET", url, {}), None, write, limit), limit)
        return exchange.addCallback(lambda response: Answer(response.code, _flat(response), b""))

    def stream(
        self,
        method: str,
        url: str,
        reader: Reader,
        *,
        headers: Mapping[str, str] = {},
        silence: Callable[[], float] = _download_idle,
    ) -> Deferred[bool]:
        """Get an answer as it comes: the reader is given its head, then its body, as it is sent, in pieces.

        Fires after the last piece, with whether the server said that it is the last, and did not merely close the
        connection. Otherwise as L{request}.

        @param headers: as they are to be sent: of its own accord this asks for no content encoding, and undoes none.
        @param silence: gives, at the beginning and after each byte, the seconds in which another one must move, those
            not counted in which the reader holds it back.
        """
        limit = Limit(self._reactor, silence, True)
        return self._run(self._stream(_Request(method, url, headers), reader, limit), limit)

    def close(self) -> Deferred[None]:
        """End all that runs and close all connections."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        running = list(self._running)
        for exchange in running:
            exchange.cancel()
        # Those that end may still give their connections back to the pool, which is closed after them.
        await DeferredList(running)
        await self._pool.closeCachedConnections()
        await self._network.close()

    def _run(self, exchange: Coroutine[Deferred[Any], Any, T], limit: Limit) -> Deferred[T]:
        running: Deferred[T] = Deferred.fromCoroutine(exchange)
        self._running.add(running)
        limit.start(running.cancel)

        def ended(result: T | Failure) -> T | Failure:
            self._running.discard(running)
            limit.stop()
            return result

        return running.addBoth(ended)

    async def _exchange(
        self, request: _Request, body: bytes | IBodyProducer | None, write: Callable[[bytes], None], limit: Limit
    ) -> IResponse:
        upload = Upload(_producer(body), limit.moved)
        answering = Answering(write, limit.moved)
        try:
            response = await self._send(request, None if body is None else upload)
            # At once, for a connection whose answer nobody reads serves nobody else.
            response.deliverBody(answering)
            await answering.done
            # An early refusal is an answer; an early success cannot be true.
            if response.code < 300 and not upload.complete:
                raise Cut("it was answered before all of it was sent")
            return response
        except Exception as error:
            # From None: what lies under it may show headers or a signed address.
            raise _fault(request, upload.problem or answering.problem, limit, error) from None
        finally:
            upload.end()

    async def _stream(self, request: _Request, reader: Reader, limit: Limit) -> bool:
        streaming: Streaming | None = None
        try:
            way, headers = await self._way(request)
            response = await way.agent.request(request.method.encode(), _encode(request.url), headers, None)
            length = None if response.length is UNKNOWN_LENGTH else response.length
            streaming = Streaming(Head(response.code, _flat(response), length), reader, limit)
            response.deliverBody(streaming)
            await streaming.done
            return streaming.whole
        except Exception as error:
            # From None: what lies under it may show headers or a signed address.
            own = None if streaming is None else streaming.problem
            raise _fault(request, own, limit, error) from None

    async def _send(self, request: _Request, upload: Upload | None) -> IResponse:
        way, headers = await self._way(request)
        return await way.client.request(
            request.method,
            _read_url(request.url),
            headers=headers,
            data=upload,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )

    async def _check_behind_proxy(self, guarded: GuardedReactor, url: str) -> None:
        """A proxy is a way around the guard, for it makes the connection."""
        # As it will be sent: much that is not ASCII is another form of what is.
        parts = urlsplit(_encode(url).decode("ascii"))
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if self._proxies.find(parts.scheme, host, port) is not None:
            await guarded.check(host)

    async def _way(self, request: _Request) -> tuple[_Way, Headers]:
        """The way to a server, which must not be a denied one, and the headers that a request on it has."""
        if self._guarded is not None:
            await self._check_behind_proxy(self._guarded, request.url)
        headers = Headers({name: [value] for name, value in request.headers.items()})
        proxy = self._proxies.find_for_url(request.url)
        if proxy is None:
            return self._direct, headers
        for name, value in proxy.headers.items():
            headers.setRawHeaders(name, [value])
        if proxy not in self._through:
            endpoint = self._network.endpoint_for_proxy(proxy)
            self._through[proxy] = _Way(ProxyAgent(endpoint, self._reactor, self._pool))
        return self._through[proxy], headers


class _Way:
    """A way to servers: direct, or through one proxy.

    @ivar client: undoes content encodings, what the agent does not.
    """

    def __init__(self, agent: IAgent) -> None:
        self.agent = agent
        self.client = HTTPClient(agent, IndexableCookieJar(DefaultCookiePolicy(allowed_domains=())))


class _ReadyURL(EncodedURL):
    """A URL that can be sent as it stands.

    The base would encode each part of it again, which takes a seventh of a request's time, and takes a host that is an
    address of IPv6 for a name, which it is not able to encode.
    """

    def to_uri(self) -> EncodedURL:
        return self


def _read_url(text: str) -> EncodedURL:
    return (_ReadyURL if text.isascii() else EncodedURL).from_text(text)


def _encode(url: str) -> bytes:
    return _read_url(url).to_uri().to_text().encode("ascii")


def _producer(body: bytes | IBodyProducer | None) -> IBodyProducer:
    return BytesBody(body or b"") if body is None or isinstance(body, bytes) else body


def _fault(request: _Request, own: BaseException | None, limit: Limit, error: Exception) -> BaseException:
    """What a caller gets for C{error}; C{own} is what the caller's own producer or consumer failed with."""
    if own is not None and not isinstance(own, TooLong | CancelledError):
        return own
    # The limit ends an exchange by cancelling it, which is no giving up of its caller's.
    if limit.passed:
        return Unreachable(str(request), limit.words)
    return explain(str(request), error)


def _flat(response: IResponse) -> Mapping[str, str]:
    return {
        name.decode("ascii").lower(): ", ".join(value.decode("latin-1") for value in values)
        for name, values in response.headers.getAllRawHeaders()
    }
