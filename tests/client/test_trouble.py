from __future__ import annotations

from OpenSSL.SSL import Error as TLSError
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import RequestTransmissionFailed, ResponseFailed, ResponseNeverReceived

from tcworker.client.trouble import Unsent, explain, shown, without_queries
from tcworker.errors import Unreachable


class ExplainTests(SynchronousTestCase):
    def test_without_a_connection_nothing_was_sent(self) -> None:
        for error in (ConnectionRefusedError(), DNSLookupError("no such host"), TimeoutError()):
            self.assertIsInstance(explain("GET x", error), Unsent)

    def test_with_one_the_server_may_have_seen_it(self) -> None:
        for kind in (RequestTransmissionFailed, ResponseNeverReceived, ResponseFailed):
            error = explain("GET x", kind([Failure(ConnectionLost("it broke"))]))
            self.assertIsInstance(error, Unreachable)
            self.assertNotIsInstance(error, Unsent)
            self.assertIn("it broke", str(error))

    def test_one_who_gave_up_is_not_told_a_story(self) -> None:
        for given_up in (CancelledError(), ConnectingCancelledError(HostnameAddress(b"example.com", 443))):
            for error in (given_up, ResponseNeverReceived([Failure(given_up)])):
                self.assertIsInstance(explain("GET x", error), CancelledError)

    def test_giving_up_counts_wherever_it_is_among_the_reasons(self) -> None:
        reasons = [Failure(CancelledError()), Failure(ConnectionLost("it broke"))]
        for wrapped in (reasons, [Failure(RequestTransmissionFailed(reasons)), Failure(ConnectionLost("it broke"))]):
            self.assertIsInstance(explain("GET x", ResponseFailed(wrapped)), CancelledError)

    def test_tls_in_its_own_words(self) -> None:
        error = TLSError([("SSL routines", "", "certificate verify failed")])
        self.assertEqual(
            str(explain("GET x", ResponseNeverReceived([Failure(error)]))), "GET x: TLS: certificate verify failed"
        )

    def test_an_error_without_words_has_at_least_a_name(self) -> None:
        self.assertEqual(str(explain("GET x", RuntimeError())), "GET x: RuntimeError")


class SecretTests(SynchronousTestCase):
    def test_of_an_address_that_is_none_nothing_is_shown(self) -> None:
        self.assertEqual(shown("http://user:secret@[/?secret"), "…")

    def test_an_address_is_shown_without_password_and_query(self) -> None:
        table = {
            "https://user:password@host:1/a%2Fb?signature=x": "https://host:1/a%2Fb?…",
            "https://host/a": "https://host/a",
        }
        self.assertEqual({url: shown(url) for url in table}, table)

    def test_addresses_in_a_text(self) -> None:
        text = 'see "https://a/b?x=y" and https://c/d, not http://e?f'
        self.assertEqual(without_queries(text), 'see "https://a/b?…" and https://c/d, not http://e?…')
