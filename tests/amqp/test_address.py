"""Addresses of brokers, and what is said of those that cannot be."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.amqp.address import Address, read_address
from tcworker.errors import ConfigError


class Addresses(SynchronousTestCase):
    def test_what_is_left_out_is_as_usual(self) -> None:
        guest = Address("rabbit", 5672, "/", "guest", "guest")
        self.assertEqual(read_address("amqp://rabbit"), guest)
        self.assertEqual(read_address("amqp://rabbit/"), guest)
        self.assertEqual(read_address("amqps://rabbit"), Address("rabbit", 5671, "/", "guest", "guest", secure=True))

    def test_parts_are_decoded(self) -> None:
        address = read_address("amqp://us%40er:p%2Fw%3A@[::1]:1234/a%2Fb?frameMax=0")
        self.assertEqual(address, Address("::1", 1234, "a/b", "us@er", "p/w:"))
        self.assertEqual(read_address("amqp://rabbit/%2F").vhost, "/")

    def test_an_empty_password_is_one(self) -> None:
        self.assertEqual(read_address("amqp://user:@rabbit").password, "")

    def test_it_never_shows_its_password(self) -> None:
        address = read_address("amqps://user:secret@[::1]/vhost")
        self.assertEqual(str(address), "amqps://user@[::1]:5671, virtual host vhost")
        self.assertNotIn("secret", repr(address))


class WhatCannotBe(SynchronousTestCase):
    def refusal(self, url: str) -> str:
        refusal = self.assertRaises(ConfigError, read_address, url)
        # Nor is it in what a traceback would show of where it came from.
        self.assertIsNone(refusal.__cause__)
        return str(refusal)

    def test_it_is_said_what_is_wrong(self) -> None:
        for url, found in (
            ("http://user:secret@rabbit", "the scheme http"),
            ("user:secret@rabbit", "no scheme"),
            ("", "no scheme"),
            ("amqp://", "no host"),
            ("amqp://user:secret@", "no host"),
            ("amqp://user:secret@rabbit:many", "a port that is not one of 1 to 65535"),
            ("amqp://user:secret@rabbit:0", "a port that is not one of 1 to 65535"),
            ("amqp://user:secret@rabbit:70000", "a port that is not one of 1 to 65535"),
            ("amqp://user:secret@[::1", "cannot be read"),
            ("amqp://user:secret@rabbit/vhost#more", "must be percent-encoded"),
            ("amqp://user:secret@rabbit/one/two", "must be percent-encoded"),
        ):
            refusal = self.refusal(url)
            self.assertIn(found, refusal)
            self.assertIn("pulse", refusal)
            self.assertNotIn("secret", refusal)

    def test_a_password_that_is_not_encoded_is_not_shown_in_pieces(self) -> None:
        for url in ("amqp://user:12/secret@rabbit", "amqp://user:secret/12@rabbit", "amqp://user:se#cret@rabbit"):
            refusal = self.refusal(url)
            self.assertNotIn("secret", refusal)
            self.assertNotIn("se#", refusal)
