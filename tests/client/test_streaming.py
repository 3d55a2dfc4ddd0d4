from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from socket import AF_INET, IPPROTO_TCP, SOCK_STREAM, getaddrinfo
from threading import Event
from typing import Any, cast

from twisted.internet._resolver import GAIResolver  # what real reactors have, which is exported nowhere
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport, StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.http import HTTP
from tcworker.client.limit import Limit
from tcworker.client.streaming import Flow, Head, Streaming
from tcworker.client.trouble import Denied
from tcworker.errors import Unreachable
from tcworker.networks import Networks
from tests.client.servers import Authority, ProxyFactory, Raw, listen, raw, reactor, stubborn
from tests.client.test_http import Case


class Taking:
    """A reader that takes all, and holds it back from the piece on at which it is told to."""

    def __init__(self, hold_at: int | None = None, refuse: Exception | None = None) -> None:
        self.data = b""
        self.hold_at = hold_at
        self.refuse = refuse
        self.held = False

    def begin(self, head: Head, flow: Flow) -> None:
        self.head, self.flow = head, flow
        if self.refuse is not None:
            raise self.refuse

    def write(self, data: bytes) -> None:
        self.data += data
        if self.hold_at is not None and len(self.data) >= self.hold_at:
            self.flow.pause()
            self.held = True

    def let_go(self) -> None:
        self.hold_at = None
        self.flow.resume()


def answer(text: bytes, *, close: bool = True) -> Callable[[Raw], None]:
    def write(connection: Raw) -> None:
        connection.transport.write(text)
        if close:
            connection.transport.loseConnection()

    return write


class StreamTests(Case):
    async def stream(self, text: bytes, reader: Taking, headers: Mapping[str, str] = {}) -> bool:
        port, self.connections = raw(self, answer(text))
        return await self.client().stream("GET", f"http://127.0.0.1:{port}/a?b", reader, headers=headers)

    async def test_head_and_body_are_given_as_they_are_sent(self) -> None:
        reader = Taking()
        text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\nETag: x\r\n\r\nhello"
        whole = await self.stream(text, reader, {"Range": "bytes=1-"})
        self.assertTrue(whole)
        self.assertEqual((reader.head.status, reader.head.length, reader.data), (200, 5, b"hello"))
        self.assertEqual(reader.head.headers, {"content-encoding": "gzip", "etag": "x"})
        self.assertIn(b"GET /a?b HTTP/1.1", self.connections[0].got)
        self.assertIn(b"Range: bytes=1-", self.connections[0].got)
        self.assertNotIn(b"accept-encoding", self.connections[0].got.lower())

    async def test_an_end_that_nobody_marked_is_told(self) -> None:
        reader = Taking()
        self.assertFalse(await self.stream(b"HTTP/1.1 200 OK\r\n\r\nhello", reader))
        self.assertEqual((reader.head.length, reader.data), (None, b"hello"))

    async def test_a_cut_is_a_failure(self) -> None:
        reader = Taking()
        with self.assertRaises(Unreachable) as caught:
            await self.stream(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", reader)
        self.assertIn("closed before all had come", str(caught.exception))
        self.assertEqual(reader.data, b"hello")

    async def test_what_the_reader_raises_ends_the_call(self) -> None:
        with self.assertRaises(LookupError):
            await self.stream(b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello", Taking(refuse=LookupError()))

    async def test_an_answer_that_is_refused_is_not_read_on(self) -> None:
        port, connections = raw(self, answer(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", close=False))
        with self.assertRaises(LookupError):
            await self.client().stream("GET", f"http://127.0.0.1:{port}", Taking(refuse=LookupError()))
        await connections[0].closed

    def bundle_of(self, authority: Authority) -> str:
        path: str = self.mktemp()
        Path(path).write_bytes(authority.pem)
        return path

    async def test_a_server_that_sends_on_and_on_holds_nobody_up_who_refuses_it(self) -> None:
        authority = Authority()
        head = b"HTTP/1.1 404 No\r\nContent-Length: 999999999\r\n\r\n"
        port, reset = stubborn(self, authority.context("localhost"), head)
        with self.assertRaises(LookupError):
            reader = Taking(refuse=LookupError())
            await self.client(ca_bundle=self.bundle_of(authority)).stream("GET", f"https://localhost:{port}", reader)
        await reset

    async def test_a_reader_that_holds_it_back_gets_no_more_until_it_lets_go(self) -> None:
        size = 40_000_000
        _, url = self.serve(lambda request: b"x" * size)
        reader = Taking(hold_at=1)
        streaming = self.client().stream("GET", url, reader)
        await self.until(lambda: reader.held)
        here = len(reader.data)
        # A whole request goes and comes meanwhile, and more than one turn of the reactor.
        await self.client().request("GET", f"{url}/other")
        self.assertLess(len(reader.data) - here, 1 << 20)
        reader.let_go()
        await streaming
        self.assertEqual(len(reader.data), size)

    async def test_cancelling_closes_the_connection(self) -> None:
        port, connections = raw(self, answer(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", close=False))
        reader = Taking()
        streaming = self.client().stream("GET", f"http://127.0.0.1:{port}", reader)
        await self.until(lambda: reader.data)
        streaming.cancel()
        with self.assertRaises(CancelledError):
            await streaming
        await connections[0].closed

    async def test_an_address_that_is_not_ascii_is_encoded(self) -> None:
        web, url = self.serve()
        await self.client().stream("GET", f"{url}/bär", Taking())
        self.assertEqual(web.seen[0][1], "/b%C3%A4r")


class HeadTests(Case):
    """What comes before a body."""

    async def test_headers_without_end_are_not_kept(self) -> None:
        line = b"X-Much: " + b"y" * 1000 + b"\r\n"
        first = answer(b"HTTP/1.1 200 OK\r\n" + line * 100, close=False)
        port, connections = raw(self, first)
        with self.assertRaises(Unreachable) as caught:
            await self.client().stream("GET", f"http://127.0.0.1:{port}", Taking())
        self.assertIn("more headers than any server needs", str(caught.exception))
        await connections[0].closed

    async def test_interim_answers_without_end_are_not_waited_for(self) -> None:
        port, connections = raw(self, answer(b"HTTP/1.1 102 Wait\r\n\r\n" * 4000, close=False))
        with self.assertRaises(Unreachable):
            await self.client().stream("GET", f"http://127.0.0.1:{port}", Taking())
        await connections[0].closed

    async def test_many_answers_over_one_connection_are_not_one_long_one(self) -> None:
        head = b"HTTP/1.1 204 No\r\nX-Much: " + b"y" * 10_000 + b"\r\n\r\n"
        port, connections = raw(self, answer(head, close=False))
        client = self.client()
        for _ in range(10):
            await client.request("GET", f"http://127.0.0.1:{port}")
        self.assertEqual(len(connections), 1)


class PatienceTests(SynchronousTestCase):
    """Whose the time is that passes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.limit = Limit(self.clock, lambda: 60, True)
        self.ended: list[None] = []
        self.limit.start(lambda: self.ended.append(None))
        self.reader = Taking()
        streaming = Streaming(Head(200, {}, 10), self.reader, self.limit)
        streaming.makeConnection(StringTransportWithDisconnection())

    def test_time_in_which_the_reader_holds_it_back_is_not_the_servers(self) -> None:
        self.reader.flow.pause()
        self.clock.advance(1000)
        self.assertEqual(self.ended, [])

    def test_all_of_it_is_the_servers_again_once_the_reader_lets_go(self) -> None:
        self.reader.flow.pause()
        self.clock.advance(59)
        self.reader.flow.pause()
        self.reader.flow.resume()
        self.reader.flow.resume()
        self.clock.advance(59)
        self.assertEqual(self.ended, [])
        self.clock.advance(1)
        self.assertEqual(len(self.ended), 1)

    def test_what_still_comes_of_one_that_was_refused_is_not_waited_for(self) -> None:
        streaming = Streaming(Head(404, {}, 10), Taking(refuse=LookupError()), self.limit)
        streaming.makeConnection(StringTransport())
        self.clock.advance(59)
        streaming.dataReceived(b"page")
        self.clock.advance(1)
        self.assertEqual(len(self.ended), 1)

    def test_a_byte_begins_it_anew(self) -> None:
        self.clock.advance(59)
        self.limit.moved()
        self.clock.advance(59)
        self.assertEqual((self.ended, self.limit.passed), ([], False))


class DeniedTests(Case):
    denied = Networks(["127.0.0.0/8", "::1"])

    async def refused(self, url: str) -> str:
        client = self.client(denied=self.denied)
        with self.assertRaises(Denied) as caught:
            await client.stream("GET", url, Taking())
        self.assertFalse(caught.exception.may_pass)
        return str(caught.exception)

    async def test_an_address_in_a_denied_network_is_not_connected_to(self) -> None:
        web, url = self.serve()
        self.assertIn("127.0.0.1 is in a network", await self.refused(url))
        self.assertEqual(web.seen, [])

    async def test_a_name_that_leads_there_is_not_connected_to(self) -> None:
        web, url = self.serve()
        self.assertIn("is in a network", await self.refused(url.replace("127.0.0.1", "localhost")))
        self.assertEqual(web.seen, [])

    async def test_other_forms_of_it_are_not_connected_to(self) -> None:
        web, url = self.serve()
        for form in ("2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"):
            self.assertIn("is in a network", await self.refused(url.replace("127.0.0.1", form)), form)
        self.assertEqual(web.seen, [])

    async def all_refused(self, client: HTTP, url: str) -> None:
        """Check that no way of asking leads to an address."""
        asking = (
            lambda: client.request("GET", url),
            lambda: client.request("PUT", url, body=b"x"),
            lambda: client.download(url, self.fail),
            lambda: client.stream("GET", url, Taking()),
        )
        for ask in asking:
            with self.assertRaises(Denied):
                await ask()

    async def test_requests_and_downloads_are_guarded_alike(self) -> None:
        web, url = self.serve()
        await self.all_refused(self.client(denied=self.denied), url)
        self.assertEqual(web.seen, [])

    async def test_all_of_them_behind_proxies_too(self) -> None:
        port, connections = raw(self, answer(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"))
        environ = {f"{scheme}_proxy": f"http://127.0.0.1:{port}" for scheme in ("http", "https")}
        client = self.client(denied=Networks(["10.0.0.0/8"]), environ=environ)
        for url in ("http://10.0.0.1/secret", "https://10.0.0.1/secret"):
            await self.all_refused(client, url)
        self.assertEqual(connections, [])

    async def test_all_else_is_connected_to(self) -> None:
        _, url = self.serve(lambda request: b"hello")
        reader = Taking()
        await self.client(denied=Networks(["10.0.0.0/8"])).stream("GET", url, reader)
        self.assertEqual(reader.data, b"hello")

    async def test_a_proxy_may_be_in_a_denied_network_but_not_what_it_leads_to(self) -> None:
        proxy = ProxyFactory(answer=b"HTTP/1.1 502 No\r\n\r\n")
        environ = {"https_proxy": f"http://127.0.0.1:{listen(self, proxy)}"}
        denied = Networks(["127.0.0.0/8", "10.0.0.0/8"])
        client = self.client(denied=denied, environ=environ)
        for host in ("10.1.2.3", "0x0a.1"):
            with self.assertRaises(Denied):
                await client.stream("GET", f"https://{host}/secret", Taking())
        self.assertEqual(proxy.asked, [])
        # Who has another name for it here must ask the proxy.
        with self.assertRaises(Unreachable) as caught:
            await client.stream("GET", "https://tcworker.invalid/", Taking())
        self.assertNotIsInstance(caught.exception, Denied)
        self.assertEqual(len(proxy.asked), 1)

    async def test_a_proxy_is_asked_for_no_form_of_what_is_denied(self) -> None:
        port, connections = raw(self, answer(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"))
        environ = {f"{scheme}_proxy": f"http://127.0.0.1:{port}" for scheme in ("http", "https")}
        client = self.client(denied=Networks(["169.254.0.0/16", "127.0.0.0/8"]), environ=environ)
        forms = (
            "169.254.169.254.",
            "0xa9fea9fe.",
            "%31%36%39.254.169.254",
            "[::ffff:0:0]",
            "[64:ff9b:1::a9fe:a9fe]",
            "\uff11\uff16\uff19.254.169.254",
            "Metadata.Google.Internal.",
            "instance-data",
        )
        for form in forms:
            for scheme in ("http", "https"):
                with self.assertRaises(Denied, msg=form):
                    await client.stream("GET", f"{scheme}://{form}/latest", Taking())
        self.assertEqual(connections, [])

    def behind_proxy(self, look_up: Callable[[], list[str]], idle: float = 60.0) -> Deferred[bool]:
        """Ask for an address behind a proxy, on a machine that looks names up in some way."""
        port, self.connections = raw(self, answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))

        def info(host: str, *rest: Any) -> list[Any]:
            if host != "a.test":
                return getaddrinfo(host, *rest)
            return [(AF_INET, SOCK_STREAM, IPPROTO_TCP, "", (address, 80)) for address in look_up()]

        before = reactor.installNameResolver(GAIResolver(reactor, getaddrinfo=cast(Any, info)))
        self.addCleanup(reactor.installNameResolver, before)
        client = self.client(denied=Networks(["10.0.0.0/8"]), environ={"http_proxy": f"http://127.0.0.1:{port}"})
        return client.stream("GET", "http://a.test/", Taking(), silence=lambda: idle)

    async def test_a_name_that_leads_into_a_denied_network_is_not_given_to_a_proxy(self) -> None:
        with self.assertRaises(Denied) as caught:
            await self.behind_proxy(lambda: ["192.0.2.1", "10.0.0.1"])
        self.assertIn("10.0.0.1 is in a network", str(caught.exception))
        self.assertEqual(self.connections, [])
        await self.behind_proxy(lambda: ["192.0.2.1"])
        self.assertEqual(len(self.connections), 1)

    def slow_name(self) -> Callable[[], list[str]]:
        """A way to look names up that takes as long as the test."""
        over = Event()
        self.addCleanup(over.set)
        return lambda: ["192.0.2.1"] * over.wait(20)

    async def test_who_waits_for_a_name_can_give_up(self) -> None:
        streaming = self.behind_proxy(self.slow_name())
        streaming.cancel()
        with self.assertRaises(CancelledError):
            await streaming

    async def test_a_name_that_is_looked_up_for_too_long_is_an_unreachable_server(self) -> None:
        with self.assertRaises(Unreachable) as caught:
            await self.behind_proxy(self.slow_name(), idle=0.05)
        self.assertIn("nothing moved for 0.05 s", str(caught.exception))

    async def test_a_proxy_that_is_given_whole_addresses_is_no_way_around(self) -> None:
        port, connections = raw(self, answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        client = self.client(denied=Networks(["10.0.0.0/8"]), environ={"http_proxy": f"http://127.0.0.1:{port}"})
        with self.assertRaises(Denied):
            await client.stream("GET", "http://10.0.0.1/secret", Taking())
        self.assertEqual(connections, [])
        await client.stream("GET", "http://192.0.2.1/", Taking())
        self.assertEqual(len(connections), 1)
