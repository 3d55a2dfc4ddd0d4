from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.proxies import Proxies, Proxy
from tcworker.errors import ConfigError

BOTH = {"HTTP_PROXY": "http://one:3128", "HTTPS_PROXY": "http://two:3129"}


class ProxiesTests(SynchronousTestCase):
    def test_without_variables_everything_is_direct(self) -> None:
        self.assertIsNone(Proxies({}).find("https", "tc.example", 443))

    def test_each_scheme_has_its_own(self) -> None:
        proxies = Proxies(BOTH)
        self.assertEqual(proxies.find("http", "tc.example", 80), Proxy("one", 3128))
        self.assertEqual(proxies.find("https", "tc.example", 443), Proxy("two", 3129))

    def test_lower_case_wins(self) -> None:
        self.assertEqual(Proxies({**BOTH, "http_proxy": "http://three:1"}).find("http", "x", 80), Proxy("three", 1))

    def test_only_http_urls_are_asked_of_a_proxy_as_a_whole(self) -> None:
        proxies = Proxies(BOTH)
        self.assertEqual(proxies.find_for_url("http://tc.example/x?y"), Proxy("one", 3128))
        self.assertIsNone(proxies.find_for_url("https://tc.example/x"))

    def test_no_proxy(self) -> None:
        table = {
            "tc.example": [("tc.example", 443), ("a.tc.example", 1), ("A.TC.Example", 1)],
            ".tc.example, *.other": [("a.tc.example", 1), ("x.other", 1)],
            "tc.example:8080": [("tc.example", 8080)],
            "10.0.0.0/8,169.254.169.254": [("10.9.8.7", 80), ("169.254.169.254", 80)],
            "fd00::/8": [("fd00::1", 80)],
            "*": [("anything", 1)],
        }
        for value, hosts in table.items():
            proxies = Proxies({**BOTH, "NO_PROXY": value})
            for host, port in hosts:
                self.assertIsNone(proxies.find("http", host, port), (value, host))

    def test_no_proxy_means_no_others(self) -> None:
        table = {
            "tc.example": ("xtc.example", 80),
            "tc.example:8080": ("tc.example", 80),
            "10.0.0.0/8": ("11.0.0.1", 80),
            "10.0.0.0/99": ("10.0.0.1", 80),
            " , ": ("tc.example", 80),
        }
        for value, (host, port) in table.items():
            self.assertIsNotNone(Proxies({**BOTH, "NO_PROXY": value}).find("http", host, port), value)

    def test_this_machine_is_never_behind_one(self) -> None:
        for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"):
            self.assertIsNone(Proxies(BOTH).find("http", host, 80), host)


class ProxyTests(SynchronousTestCase):
    def test_forms_of_its_address(self) -> None:
        table = {
            "proxy:3128": Proxy("proxy", 3128),
            "http://proxy": Proxy("proxy", 80),
            "https://proxy/": Proxy("proxy", 443, secure=True),
            "http://[::1]:8": Proxy("::1", 8),
        }
        for address, proxy in table.items():
            self.assertEqual(Proxy.parse("http_proxy", address), proxy)

    def test_its_credentials_are_sent_and_not_shown(self) -> None:
        proxy = Proxy.parse("http_proxy", "http://us%40er:pass%3Aword@proxy:1")
        self.assertEqual(proxy.headers, {"Proxy-Authorization": "Basic dXNAZXI6cGFzczp3b3Jk"})
        self.assertNotIn("dXN", repr(proxy))

    def test_without_credentials_no_header(self) -> None:
        self.assertEqual(Proxy("proxy", 1).headers, {})

    def test_an_address_that_is_none_is_a_fault_without_its_secrets(self) -> None:
        for address in (
            "socks5://user:secret@proxy:1",
            "http://user:secret@:99",
            "http://user:secret@proxy:port",
            "http://",
        ):
            error = self.assertRaises(ConfigError, Proxies, {"HTTPS_PROXY": address})
            self.assertIn("https_proxy", str(error))
            self.assertNotIn("secret", str(error))
