"""Where a server may listen."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from tcworker.server.place import Place, find_place
from tcworker.server.refusal import CannotServe


class Places(SynchronousTestCase):
    def test_the_loopback_is_private_however_it_is_called(self) -> None:
        for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
            place = find_place(host)
            self.assertEqual((place.name, place.is_private), (host, True), host)

    def test_any_other_address_is_not(self) -> None:
        for host in ("192.0.2.1", "2001:db8::1"):
            place = find_place(host)
            self.assertEqual((place.interface, place.is_private), (host, False), host)

    def test_everywhere_is_called_by_the_name_of_the_machine(self) -> None:
        self.patch(socket, "gethostname", lambda: "localhost")
        for host in ("0.0.0.0", "::"):
            self.assertEqual(find_place(host), Place(host, "localhost", False))

    def test_everywhere_needs_a_name_that_can_be_looked_up(self) -> None:
        self.patch(socket, "gethostname", lambda: "no-such.invalid")
        self.assertIn("no-such.invalid", self.refused("0.0.0.0"))

    def test_what_is_none_of_this_machines(self) -> None:
        for host in ("no-such.invalid", "", "a b", "x" * 70, "127.0.0.1:80", "http://localhost"):
            self.assertIn("--host", self.refused(host))

    def test_an_address_that_no_url_can_hold(self) -> None:
        self.assertIn("--host fe80::1%lo", self.refused("fe80::1%lo"))

    def test_who_reaches_a_proxy_reaches_the_server(self) -> None:
        for root_url, is_private in (
            ("http://localhost:80", True),
            ("http://127.0.0.2", True),
            ("http://[::1]:9", True),
            ("https://tc.example.com", False),
            ("http://192.0.2.1:9000", False),
        ):
            self.assertEqual(find_place("127.0.0.1", root_url).is_private, is_private, root_url)
            self.assertFalse(find_place("192.0.2.1", root_url).is_private)

    def test_everywhere_needs_no_name_if_it_is_called_by_another(self) -> None:
        self.patch(socket, "gethostname", lambda: "no-such.invalid")
        self.assertEqual(find_place("::", "https://tc.example.com"), Place("::", "tc.example.com", False))

    def refused(self, host: str) -> str:
        return str(self.assertRaises(CannotServe, find_place, host))
