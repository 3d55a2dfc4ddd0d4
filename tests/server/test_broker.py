"""Where the broker's password is from."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.server.broker import with_password


class Passwords(SynchronousTestCase):
    def given(self, url: str | None) -> str | None:
        self.environ = {"PULSE_PASSWORD": "a/b@c", "HOME": "/"}
        return with_password(url, self.environ)

    def test_that_of_the_environment_goes_with_the_user_of_the_url(self) -> None:
        self.assertEqual(self.given("amqp://me@host:1/v"), "amqp://me:a%2Fb%40c@host:1/v")

    def test_one_in_the_url_counts(self) -> None:
        self.assertEqual(self.given("amqp://me:mine@host"), "amqp://me:mine@host")

    def test_it_is_for_nobody_else(self) -> None:
        for url in (None, "", "amqp://host", "nonsense"):
            self.assertEqual(self.given(url), url)
            self.assertEqual(self.environ, {"HOME": "/"})

    def test_without_one(self) -> None:
        self.assertEqual(with_password("amqp://me@host", {}), "amqp://me@host")
