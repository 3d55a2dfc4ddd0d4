"""An answer that nobody takes as fast as it comes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.streaming import Head
from tcworker.download.address import Target
from tcworker.download.arriving import MOST_HELD, Arriving
from tcworker.download.passing import Passing


class Server:
    """Sends pieces until it is held back."""

    def __init__(self, arriving: Arriving, piece: int) -> None:
        self._arriving = arriving
        self._piece = piece
        self._held_back = False
        self.sent = 0
        arriving.begin(Head(200, {}, None), self)

    def pause(self) -> None:
        self._held_back = True

    def resume(self) -> None:
        self._held_back = False

    def send(self, most: int) -> None:
        """Send as much as it may, and no more than so many bytes."""
        while not self._held_back and self.sent < most:
            self.sent += self._piece
            self._arriving.write(bytes(self._piece))


class HeldBack(SynchronousTestCase):
    """No more is in memory than some, however large it all is."""

    def setUp(self) -> None:
        self.arriving = Arriving("https://example.com/a")
        self.server = Server(self.arriving, 65536)

    def take(self) -> int:
        return len(self.successResultOf(Deferred.fromCoroutine(self.arriving.next())))

    def test_no_more_comes_than_may_wait(self) -> None:
        self.server.send(100 * MOST_HELD)
        self.assertEqual(self.server.sent, MOST_HELD)

    def test_when_it_is_taken_more_comes(self) -> None:
        taken = 0
        for _ in range(3):
            self.server.send(100 * MOST_HELD)
            taken += self.take()
        self.assertEqual((taken, self.server.sent), (3 * MOST_HELD, 3 * MOST_HELD))


class ClosedClient:
    """One that ends what it is asked for, as when the worker ends."""

    def stream(self, *_: object, **more: object) -> Deferred[bool]:
        return fail(CancelledError())


class Ended(SynchronousTestCase):
    def test_by_the_client_s_end_and_not_by_who_asked(self) -> None:
        client: Any = ClosedClient()
        asking = Arriving.ask(client, "GET", Target("https://example.com/a"), {}, lambda: 60.0)
        error = self.failureResultOf(Deferred.fromCoroutine(asking), Passing)
        self.assertIn("the connection was closed", error.getErrorMessage())


class SlowToClose:
    """A client whose connections take their time to close."""

    def __init__(self) -> None:
        self.closed: Deferred[None] = Deferred()

    def stream(self, method: str, url: str, reader: Any, **_: object) -> Deferred[bool]:
        reader.begin(Head(200, {}, None), Server(Arriving(url), 1))
        return Deferred.fromCoroutine(self._stream())

    async def _stream(self) -> bool:
        try:
            await Deferred()
        finally:
            await self.closed
        return True


class Closing(SynchronousTestCase):
    def test_is_over_when_the_connection_is_closed(self) -> None:
        client: Any = SlowToClose()
        asking = Arriving.ask(client, "GET", Target("https://example.com/a"), {}, lambda: 60.0)
        arriving = self.successResultOf(Deferred.fromCoroutine(asking))
        closing = Deferred.fromCoroutine(arriving.close())
        self.assertNoResult(closing)
        client.closed.callback(None)
        self.successResultOf(closing)
