"""Where a server may listen, and with which token."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from tcworker.server.options import CannotServe
from tcworker.server.place import Place, check_token, find_place
from tcworker.server.token import Token

GOOD = Token("a-token-of-22-letters-x")
OPEN, PRIVATE = Place("192.0.2.1", "tc.example.com", False), Place("127.0.0.1", "localhost", True)


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

    def refused(self, host: str) -> str:
        return str(self.assertRaises(CannotServe, find_place, host))


class WhereOthersCanReachIt(SynchronousTestCase):
    def refused(self, token: Token) -> str:
        error = self.assertRaises(CannotServe, check_token, token, OPEN)
        self.assertEqual(error.status, 64)
        self.assertNotIn(token.text, str(error))
        return str(error)

    def test_the_token_must_be_somebodys_choice(self) -> None:
        self.assertIn("--access-token-file", self.refused(Token(GOOD.text, made=True)))

    def test_the_token_must_be_long(self) -> None:
        self.assertIn("guessed", self.refused(Token("guess-me")))

    def test_a_good_one_will_do(self) -> None:
        check_token(GOOD, OPEN)

    def test_elsewhere_any_will_do(self) -> None:
        for token in (GOOD, Token("x"), Token(GOOD.text, made=True)):
            check_token(token, PRIVATE)
