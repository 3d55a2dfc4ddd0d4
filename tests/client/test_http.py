from __future__ import annotations

import gzip
from io import BytesIO
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase
from twisted.web.client import FileBodyProducer
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tcworker.client import http as module
from tcworker.client.http import HTTP
from tcworker.client.trouble import Unsent
from tcworker.errors import ConfigError, Unreachable
from tcworker.waiting import pause
from tests.client.servers import WAITING, Authority, ProxyFactory, Raw, Web, listen, raw, reactor, silent


class Case(TestCase):
    timeout = 30

    def client(self, **options: Any) -> HTTP:
        client = HTTP(reactor, **options)
        self.addCleanup(client.close)
        return client

    def serve(self, answer: Any = lambda request: b"") -> tuple[Web, str]:
        web = Web(answer)
        return web, f"http://127.0.0.1:{web.listen(self)}"

    async def until(self, condition: Any) -> None:
        while not condition():
            await pause(reactor, 0.005)


@implementer(IBodyProducer)
class Endless:
    """A body that is sent as fast as the network takes it."""

    piece = b"x" * 65536

    def __init__(self, length: int = 10**9) -> None:
        self.length = length
        self.sent = 0
        self.paused = self.stopped = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self.consumer = consumer
        self.done: Deferred[None] = Deferred()
        self.step()
        return self.done

    def step(self) -> None:
        if not self.paused and not self.stopped:
            self.sent += len(self.piece)
            self.consumer.write(self.piece)
            reactor.callLater(0, self.step)

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        self.step()

    def stopProducing(self) -> None:
        self.stopped = True


def refuse_early(connection: Raw) -> None:
    """Answer in the middle of an upload, in two pieces, and read no more of it."""
    if len(connection.got) > 100_000:
        connection.on_data = lambda connection: None
        connection.transport.pauseProducing()
        connection.transport.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\n")
        reactor.callLater(0.05, connection.transport.write, b"expired")


class RequestTests(Case):
    async def test_gives_status_headers_and_body(self) -> None:
        def answer(request: Any) -> bytes:
            request.setResponseCode(409)
            request.responseHeaders.setRawHeaders("X-Two", ["a", "b"])
            return b"the body"

        _, url = self.serve(answer)
        got = await self.client().request("GET", url)
        self.assertEqual((got.status, got.body, got.headers["x-two"]), (409, b"the body", "a, b"))

    async def test_sends_method_headers_and_body(self) -> None:
        web, url = self.serve()
        await self.client().request("PUT", url + "/x", headers={"Content-Type": "text/plain"}, body=b"hello")
        [(method, target, headers, body)] = web.seen
        self.assertEqual((method, target, body), ("PUT", "/x", b"hello"))
        self.assertEqual((headers["content-type"], headers["content-length"]), ("text/plain", "5"))

    async def test_a_post_without_a_body_says_so(self) -> None:
        web, url = self.serve()
        await self.client().request("POST", url)
        self.assertEqual(web.seen[0][2]["content-length"], "0")

    async def test_the_target_goes_over_the_wire_as_it_stands(self) -> None:
        web, url = self.serve()
        target = "/a%2Fb/public%2fx%20y//../%7E~?q=a%2Fb+c&X-Sig=%5B"
        await self.client().request("GET", url + target)
        self.assertEqual(web.seen[0][1], target)

    async def test_compressed_answers_come_out_plain(self) -> None:
        def answer(request: Any) -> bytes:
            request.setHeader("Content-Encoding", "gzip")
            return gzip.compress(b"plain")

        _, url = self.serve(answer)
        self.assertEqual((await self.client().request("GET", url)).body, b"plain")

    async def test_connections_are_used_again(self) -> None:
        ports = set()
        _, url = self.serve(lambda request: ports.add(request.client.port) or b"x")
        client = self.client()
        for _ in range(5):
            await client.request("POST", url, body=b"{}")
        self.assertEqual(len(ports), 1)

    async def test_a_connection_that_the_server_closed_meanwhile_does_no_harm(self) -> None:
        transports: list[Any] = []
        _, url = self.serve(lambda request: transports.append(request.transport) or b"x")
        client = self.client()
        await client.request("POST", url, body=b"{}")
        transports[0].loseConnection()
        await pause(reactor, 0.02)
        self.assertEqual((await client.request("POST", url, body=b"{}")).status, 200)

    async def test_redirects_are_not_followed(self) -> None:
        def answer(request: Any) -> bytes:
            request.redirect(b"/other")
            return b"there"

        web, url = self.serve(answer)
        got = await self.client().request("GET", url)
        self.assertEqual((got.status, got.headers["location"], len(web.seen)), (302, "/other", 1))

    async def test_cookies_are_not_kept(self) -> None:
        web, url = self.serve(lambda request: request.addCookie(b"a", b"b") or b"x")
        client = self.client()
        await client.request("GET", url)
        await client.request("GET", url)
        self.assertNotIn("cookie", web.seen[1][2])

    async def test_an_answer_that_is_too_long_is_not_kept(self) -> None:
        self.patch(module, "MOST_BYTES", 1000)
        _, url = self.serve(lambda request: b"x" * 1001)
        error = await self.assertFailure(self.client().request("GET", url), Unreachable)
        self.assertIn("longer", str(error))


class TroubleTests(Case):
    async def test_nobody_listens(self) -> None:
        error = await self.assertFailure(self.client().request("GET", "http://127.0.0.1:1/x"), Unsent)
        self.assertIn("refused", str(error))

    async def test_no_such_host(self) -> None:
        await self.assertFailure(self.client().request("GET", "http://no-such-host.invalid/"), Unsent)

    async def test_an_answer_that_is_not_http(self) -> None:
        port, _ = raw(self, lambda connection: connection.transport.write(b"SSH-2.0-x\r\n"))
        await self.assertFailure(self.client().request("GET", f"http://127.0.0.1:{port}/"), Unreachable)

    async def test_a_connection_lost_before_the_answer_may_have_been_seen(self) -> None:
        port, _ = raw(self, lambda connection: connection.transport.loseConnection())
        error = await self.assertFailure(self.client().request("POST", f"http://127.0.0.1:{port}/"), Unreachable)
        self.assertNotIsInstance(error, Unsent)

    async def test_an_answer_that_breaks_off(self) -> None:
        def answer(connection: Raw) -> None:
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            connection.transport.loseConnection()

        port, _ = raw(self, answer)
        await self.assertFailure(self.client().request("GET", f"http://127.0.0.1:{port}/"), Unreachable)

    async def test_errors_name_the_request_but_no_secret_of_it(self) -> None:
        call = self.client().request("PUT", "http://user:password@127.0.0.1:1/bucket/x?X-Signature=secret", body=b"x")
        error = await self.assertFailure(call, Unreachable)
        self.assertTrue(str(error).startswith("PUT http://127.0.0.1:1/bucket/x?…: "), str(error))
        self.assertNotIn("secret", repr(error))
        self.assertNotIn("password", repr(error))

    async def test_a_call_takes_no_longer_than_it_may(self) -> None:
        web, url = self.serve(lambda request: WAITING)
        error = await self.assertFailure(self.client().request("GET", url, timeout=0.1), Unreachable)
        self.assertIn("no answer within 0.1 s", str(error))
        await self.until(lambda: web.lost)

    async def test_the_limit_covers_the_body(self) -> None:
        def answer(connection: Raw) -> None:
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")

        port, connections = raw(self, answer)
        await self.assertFailure(self.client().request("GET", f"http://127.0.0.1:{port}/", timeout=0.1), Unreachable)
        await connections[0].closed

    async def test_cancelling_before_the_answer_closes_the_connection(self) -> None:
        web, url = self.serve(lambda request: WAITING)
        call = self.client().request("GET", url)
        await self.until(lambda: web.seen)
        call.cancel()
        await self.assertFailure(call, CancelledError)
        await self.until(lambda: web.lost)

    async def test_cancelling_in_the_middle_of_the_answer_closes_the_connection(self) -> None:
        def answer(connection: Raw) -> None:
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")

        port, connections = raw(self, answer)
        call = self.client().request("GET", f"http://127.0.0.1:{port}/")
        await self.until(lambda: connections and connections[0].got)
        await pause(reactor, 0.02)
        call.cancel()
        await self.assertFailure(call, CancelledError)
        await connections[0].closed

    async def test_cancelling_while_there_is_no_connection_yet(self) -> None:
        call = self.client().request("GET", f"http://127.0.0.1:{silent(self)}/")
        await pause(reactor, 0.02)
        call.cancel()
        self.failureResultOf(call, CancelledError)

    async def test_closing_ends_what_runs(self) -> None:
        web, url = self.serve(lambda request: WAITING)
        client = self.client()
        call = client.request("GET", url)
        await self.until(lambda: web.seen)
        ended = self.assertFailure(call, CancelledError)
        await client.close()
        await ended
        await self.until(lambda: web.lost)


class UploadTests(Case):
    async def test_a_producer_is_sent_whole(self) -> None:
        web, url = self.serve()
        body = FileBodyProducer(BytesIO(b"0123456789" * 50_000))
        await self.client().request("PUT", url, body=body, idle=5)
        self.assertEqual(web.seen[0][3], b"0123456789" * 50_000)

    async def test_an_error_that_comes_early_ends_it(self) -> None:
        port, connections = raw(self, refuse_early)
        body = Endless()
        got = await self.client().request("PUT", f"http://127.0.0.1:{port}/", body=body, idle=5)
        self.assertEqual((got.status, got.body), (403, b"expired"))
        self.assertTrue(body.stopped)
        connections[0].transport.resumeProducing()
        await connections[0].closed

    async def test_a_success_that_comes_early_is_none(self) -> None:
        def answer(connection: Raw) -> None:
            connection.on_data = lambda connection: None
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        port, connections = raw(self, answer)
        call = self.client().request("PUT", f"http://127.0.0.1:{port}/", body=Endless(), idle=5)
        error = await self.assertFailure(call, Unreachable)
        self.assertIn("before all of it was sent", str(error))
        await connections[0].closed

    async def test_a_server_that_stops_reading_is_given_up(self) -> None:
        port, connections = raw(self, lambda connection: connection.transport.pauseProducing())
        body = Endless()
        call = self.client().request("PUT", f"http://127.0.0.1:{port}/", body=body, idle=0.2)
        error = await self.assertFailure(call, Unreachable)
        self.assertIn("nothing moved for 0.2 s", str(error))
        self.assertTrue(body.stopped)
        connections[0].on_data = lambda connection: None
        connections[0].transport.resumeProducing()
        await connections[0].closed

    async def test_slow_is_not_idle(self) -> None:
        port, connections = raw(self, lambda connection: None)
        body = Endless(5)
        body.piece = b"x"
        body.step = lambda: None  # type: ignore[method-assign]  # this one writes when the test says
        call = self.client().request("PUT", f"http://127.0.0.1:{port}/", body=body, idle=0.3)
        await self.until(lambda: hasattr(body, "consumer"))
        for _ in range(5):
            await pause(reactor, 0.1)
            body.consumer.write(b"x")
        body.done.callback(None)
        connections[0].transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual((await call).status, 200)

    async def test_cancelling_stops_the_body_and_closes_the_connection(self) -> None:
        port, connections = raw(self, lambda connection: None)
        body = Endless()
        call = self.client().request("PUT", f"http://127.0.0.1:{port}/", body=body, idle=5)
        await self.until(lambda: connections and len(connections[0].got) > 100_000)
        call.cancel()
        await self.assertFailure(call, CancelledError)
        self.assertTrue(body.stopped)
        await connections[0].closed

    async def test_what_the_body_fails_with_comes_out(self) -> None:
        class Shrunk(Exception):
            pass

        port, connections = raw(self, lambda connection: None)
        body = Endless()
        call = self.client().request("PUT", f"http://127.0.0.1:{port}/", body=body, idle=5)
        await self.until(lambda: body.sent)
        body.stopped = True
        body.done.errback(Shrunk("the file shrank"))
        await self.assertFailure(call, Shrunk)
        await connections[0].closed

    async def test_a_body_that_never_began_is_stopped_too(self) -> None:
        body = Endless()
        await self.assertFailure(self.client().request("PUT", "http://127.0.0.1:1/", body=body), Unsent)
        self.assertTrue(body.stopped)


class DownloadTests(Case):
    async def test_gives_the_pieces_away(self) -> None:
        _, url = self.serve(lambda request: b"x" * 1_000_000)
        pieces: list[bytes] = []
        got = await self.client().download(url, pieces.append)
        self.assertEqual((got.status, got.body, sum(map(len, pieces))), (200, b"", 1_000_000))

    async def test_what_the_taker_raises_ends_it_and_comes_out(self) -> None:
        class Full(Exception):
            pass

        def full(data: bytes) -> None:
            raise Full

        def answer(connection: Raw) -> None:
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")

        port, connections = raw(self, answer)
        await self.assertFailure(self.client().download(f"http://127.0.0.1:{port}/", full), Full)
        await connections[0].closed


class TLSTests(Case):
    def setUp(self) -> None:
        self.authority = Authority()
        self.bundle = self.mktemp()
        with open(self.bundle, "wb") as file:
            file.write(Authority().pem + self.authority.pem)

    def serve_tls(self, host: str = "localhost") -> tuple[Web, int]:
        web = Web(lambda request: b"secure")
        return web, web.listen(self, self.authority.context(host))

    async def test_a_server_that_the_bundle_knows(self) -> None:
        _, port = self.serve_tls()
        got = await self.client(ca_bundle=self.bundle).request("GET", f"https://localhost:{port}/")
        self.assertEqual(got.body, b"secure")

    async def test_a_server_that_nobody_knows(self) -> None:
        web, port = self.serve_tls()
        error = await self.assertFailure(self.client().request("GET", f"https://localhost:{port}/"), Unreachable)
        self.assertIn("certificate verify failed", str(error))
        self.assertEqual(web.seen, [])

    async def test_a_server_of_another_name(self) -> None:
        web, port = self.serve_tls("elsewhere.example")
        call = self.client(ca_bundle=self.bundle).request("GET", f"https://localhost:{port}/")
        await self.assertFailure(call, Unreachable)
        self.assertEqual(web.seen, [])

    async def test_early_errors_end_uploads_there_as_well(self) -> None:
        port = listen(self, Factory.forProtocol(lambda: Raw(refuse_early)), self.authority.context("localhost"))
        body = Endless()
        got = await self.client(ca_bundle=self.bundle).request("PUT", f"https://localhost:{port}/", body=body, idle=5)
        self.assertEqual((got.status, got.body, body.stopped), (403, b"expired", True))

    def test_a_bundle_without_certificates(self) -> None:
        empty = self.mktemp()
        with open(empty, "w") as file:
            file.write("nothing")
        for path in (empty, empty + ".missing"):
            error = self.assertRaises(ConfigError, HTTP, reactor, ca_bundle=path)
            self.assertIn(path, str(error))

    async def test_through_a_proxy(self) -> None:
        web, port = self.serve_tls("tc.example")
        proxy = ProxyFactory()
        environ = {"https_proxy": f"http://user:pass@127.0.0.1:{listen(self, proxy)}"}
        client = self.client(ca_bundle=self.bundle, environ=environ)
        for _ in range(2):
            got = await client.request("POST", f"https://tc.example:{port}/x", body=b"hello")
            self.assertEqual(got.body, b"secure")
        [asked] = proxy.asked
        self.assertTrue(asked.startswith(f"CONNECT tc.example:{port} HTTP/1.1\r\n"), asked)
        self.assertIn("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n", asked)
        self.assertEqual(web.seen[0][2]["host"], f"tc.example:{port}")
        self.assertNotIn("proxy-authorization", web.seen[0][2])
        await client.close()
        await self.until(lambda: not proxy.open)

    async def test_through_a_proxy_the_server_is_still_checked(self) -> None:
        web, port = self.serve_tls("elsewhere.example")
        environ = {"https_proxy": f"http://127.0.0.1:{listen(self, ProxyFactory())}"}
        call = self.client(ca_bundle=self.bundle, environ=environ).request("GET", f"https://tc.example:{port}/")
        await self.assertFailure(call, Unreachable)
        self.assertEqual(web.seen, [])

    async def test_through_a_proxy_that_is_itself_behind_tls(self) -> None:
        _, port = self.serve_tls("tc.example")
        proxy = ProxyFactory()
        proxy_port = listen(self, proxy, self.authority.context("localhost"))
        client = self.client(ca_bundle=self.bundle, environ={"https_proxy": f"https://localhost:{proxy_port}"})
        self.assertEqual((await client.request("GET", f"https://tc.example:{port}/")).body, b"secure")
        await client.close()
        await self.until(lambda: not proxy.open)

    async def test_a_proxy_that_refuses(self) -> None:
        proxy = ProxyFactory(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        environ = {"https_proxy": f"http://user:pass@127.0.0.1:{listen(self, proxy)}"}
        error = await self.assertFailure(self.client(environ=environ).request("GET", "https://tc.example/"), Unsent)
        self.assertIn("407 Proxy Authentication Required", str(error))
        self.assertNotIn("pass", str(error))

    async def test_a_proxy_that_hangs_up(self) -> None:
        environ = {"https_proxy": f"http://127.0.0.1:{listen(self, ProxyFactory(b''))}"}
        await self.assertFailure(self.client(environ=environ).request("GET", "https://tc.example/"), Unsent)

    async def test_a_proxy_that_says_nothing(self) -> None:
        port, connections = raw(self, lambda connection: None)
        environ = {"https_proxy": f"http://127.0.0.1:{port}"}
        call = self.client(environ=environ).request("GET", "https://tc.example/", timeout=0.1)
        await self.assertFailure(call, Unreachable)
        await connections[0].closed


class HTTPProxyTests(Case):
    async def test_http_is_asked_of_the_proxy_as_a_whole(self) -> None:
        proxy, url = self.serve(lambda request: b"by the proxy")
        client = self.client(environ={"http_proxy": url.replace("//", "//user:pass@")})
        got = await client.request("GET", "http://tc.example:99/a%2Fb?c", headers={"X": "y"})
        [(_, target, headers, _)] = proxy.seen
        self.assertEqual((got.body, target), (b"by the proxy", "http://tc.example:99/a%2Fb?c"))
        self.assertEqual((headers["host"], headers["x"]), ("tc.example:99", "y"))
        self.assertEqual(headers["proxy-authorization"], "Basic dXNlcjpwYXNz")

    async def test_what_is_exempt_goes_straight_and_without_the_proxys_password(self) -> None:
        web, url = self.serve()
        client = self.client(environ={"http_proxy": "http://user:pass@127.0.0.1:1"})
        await client.request("GET", url)
        self.assertNotIn("proxy-authorization", web.seen[0][2])
