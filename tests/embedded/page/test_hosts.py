"""Which names the server answers to."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from tcworker.embedded.page.hosts import Hosts
from tests.embedded.wire import WireTestCase


def permitted(root_url: str, *hosts: str, forwarded_port: str | None = None) -> bool:
    request = Request(DummyChannel(), False)
    if forwarded_port is not None:
        request.requestHeaders.setRawHeaders("x-forwarded-port", [forwarded_port])
    request.requestHeaders.setRawHeaders("host", list(hosts))
    return Hosts(root_url).permits(request)


class Names(SynchronousTestCase):
    def test_the_root_url_s_own(self) -> None:
        for root_url, host in (
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://Build.example:8080", "build.EXAMPLE:8080"),
            ("http://build.example", "build.example"),
            ("http://build.example:80", "build.example"),
            ("https://build.example", "build.example:443"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[::1]"),
        ):
            self.assertTrue(permitted(root_url, host), (root_url, host))

    def test_no_other(self) -> None:
        for host in (
            "evil.example",
            "evil.example:8080",
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:8081",
            "127.0.0.1:",
            "127.0.0.1:8080.evil.example",
            "evil.example@127.0.0.1:8080",
            "",
            ":8080",
            "127.0.0.1:8080, evil.example",
        ):
            self.assertFalse(permitted("http://127.0.0.1:8080", host), host)

    def test_exactly_one(self) -> None:
        self.assertFalse(permitted("http://127.0.0.1:8080"))
        self.assertFalse(permitted("http://127.0.0.1:8080", "127.0.0.1:8080", "evil.example"))

    def test_a_proxy_may_say_the_port(self) -> None:
        self.assertTrue(permitted("https://tc.example.com:8443", "tc.example.com", forwarded_port="8443"))
        self.assertTrue(permitted("https://tc.example.com", "tc.example.com", forwarded_port="443"))
        self.assertFalse(permitted("https://tc.example.com:8443", "tc.example.com", forwarded_port="443"))
        self.assertFalse(permitted("https://tc.example.com:8443", "evil.example", forwarded_port="8443"))

    def test_none_before_it_is_known(self) -> None:
        self.assertFalse(permitted("", ""))


class TheServer(WireTestCase):
    def ask_as(self, target: str, host: str) -> bytes:
        pending = self.send("GET", target)
        before = len(pending.content)
        pending.more(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return pending.content[before:]

    def test_refuses_another_name_on_every_path(self) -> None:
        for target in ("/", "/page/main.js", "/api/queue/v1/ping", "/storage/x", "/__heartbeat__"):
            answer = self.ask_as(target, "evil.example")
            self.assertTrue(answer.startswith(b"HTTP/1.1 421 "), answer)
            self.assertIn(b"Use http://taskcluster.test:80/", answer)
            self.assertNotIn(b"evil.example", answer)
            self.assertNotIn(b"Access-Control-Allow-Origin", answer)

    def test_answers_to_its_own(self) -> None:
        self.assertTrue(self.ask_as("/api/queue/v1/ping", "taskcluster.test").startswith(b"HTTP/1.1 200 "))
