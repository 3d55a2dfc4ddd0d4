"""What servers and Taskcluster mean by what they answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.streaming import Head
from tcworker.download.answers import Elsewhere, judge
from tcworker.download.passing import Hopeless, Passing
from tcworker.download.representation import Representation
from tcworker.download.sources import ask
from tcworker.errors import CallFailed

URL = "https://example.com/a"

DATE = "Tue, 01 Jan 2030 00:00:00 GMT"


def head(status: int = 200, length: int | None = 100, **headers: str) -> Head:
    """An answer's head; names of headers have underscores here."""
    return Head(status, {name.replace("_", "-"): value for name, value in headers.items()}, length)


class Statuses(SynchronousTestCase):
    def test_what_may_pass(self) -> None:
        for status in (408, 425, 429, 500, 502, 503, 504, 599):
            self.assertIs(type(judge(head(status), URL)), Passing, status)

    def test_what_will_not(self) -> None:
        for status in (400, 403, 404, 410, 451, 501, 505):
            self.assertIs(type(judge(head(status), URL)), Hopeless, status)

    def test_an_address_that_its_server_has_not_encoded(self) -> None:
        elsewhere = judge(head(302, location="/gr\xc3\xbc\xc3\x9fe b?c=%20d"), URL)
        assert isinstance(elsewhere, Elsewhere)
        self.assertEqual(elsewhere.url, "https://example.com/gr%C3%BC%C3%9Fe%20b?c=%20d")


class Refusals(SynchronousTestCase):
    """Of Taskcluster."""

    def asked(self, status: int) -> Deferred[Any]:
        class AsLongAsItTakes:
            def in_time(self, call: Deferred[Any]) -> Deferred[Any]:
                return call

        patience: Any = AsLongAsItTakes()
        return Deferred.fromCoroutine(ask(fail(CallFailed("latestArtifact", status, "No", "no")), patience))

    def test_for_now(self) -> None:
        for status in (408, 429, 500, 503):
            self.assertTrue(self.failureResultOf(self.asked(status), Passing).value.away)

    def test_for_good(self) -> None:
        for status in (400, 401, 403, 404):
            self.failureResultOf(self.asked(status), Hopeless)


class Parts(SynchronousTestCase):
    """Of one state of some content, which go together."""

    def goes_on(self, **headers: str) -> bool:
        whole = Representation.read(head(etag='"one"', content_encoding="gzip"))
        said = {"etag": '"one"', "content_range": "bytes 40-99/100", **headers}
        return whole.continued(head(206, 60, **said), 40) is not None

    def test_in_the_same_encoding(self) -> None:
        self.assertTrue(self.goes_on(content_encoding="x-gzip"))
        self.assertFalse(self.goes_on())
        self.assertFalse(self.goes_on(content_encoding="br"))

    def test_a_date_is_enough_once_the_content_is_older(self) -> None:
        for modified, condition in (("Mon, 31 Dec 2029 23:59:59 GMT", True), (DATE, False), ("", False)):
            said = Representation.read(head(last_modified=modified, date=DATE))
            self.assertEqual(bool(said.condition), condition, modified)
