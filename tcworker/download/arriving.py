"""An answer while it arrives: its head, then its body, which is held back while nobody takes it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from tcworker.client.http import HTTP
from tcworker.client.streaming import Flow, Head
from tcworker.client.trouble import Denied, Misnamed
from tcworker.download.address import Target
from tcworker.download.answers import CONTENT, judge
from tcworker.download.passing import Hopeless, Passing
from tcworker.errors import Unreachable

MOST_HELD = 1 << 20
"""Bytes that wait to be taken: enough for a thread to work on while the next ones come."""


class Arriving:
    """What comes of one request.

    Its methods raise L{Passing} or L{Hopeless}, and L{tcworker.download.answers.Elsewhere} for a redirect.

    @ivar head: once there is one.
    @ivar whole: whether the server said that what came last was the end.
    """

    head: Head | None = None
    whole = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._pieces: list[bytes] = []
        self._size = 0
        self._over: Failure | bool | None = None
        self._news: Deferred[None] | None = None
        self._flow: Flow | None = None
        self._exchange: Deferred[bool] | None = None

    @classmethod
    async def ask(
        cls, http: HTTP, method: str, target: Target, headers: dict[str, str], silence: Callable[[], float]
    ) -> Arriving:
        """Send a request; gives what comes of it once its head is there."""
        arriving = cls(target.url)
        asked = {**headers, **target.headers}
        exchange = arriving._exchange = http.stream(method, target.url, arriving, headers=asked, silence=silence)
        exchange.addBoth(arriving._end)
        try:
            await arriving._begun()
        except Exception:
            await arriving.close()
            raise
        return arriving

    async def next(self) -> bytes:
        """Give what came since; waits for the first byte of it. Empty at the end."""
        while not self._pieces and self._over is None:
            await self._more()
        # Even of an answer that broke: what came of it need not come again.
        if self._pieces:
            return self._take()
        self._raise_trouble()
        return b""

    async def close(self) -> None:
        """Nobody wants what is still to come."""
        if self._over is None and self._exchange is not None:
            self._exchange.cancel()
        # A cancelled request still has a connection to close, which is to be gone when this returns.
        while self._over is None:
            await self._more()

    def begin(self, head: Head, flow: Flow) -> None:
        """Called with what comes before the body."""
        if head.status not in CONTENT:
            raise judge(head, self._url)
        self.head, self._flow = head, flow
        self._wake()

    def write(self, data: bytes) -> None:
        """Called with each piece of the body."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= MOST_HELD and self._flow is not None:
            self._flow.pause()
        self._wake()

    async def _begun(self) -> None:
        while self.head is None and self._over is None:
            await self._more()
        if self.head is None:
            self._raise_trouble()

    def _take(self) -> bytes:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._size = [], 0
        # At once, so that the next ones come while these are worked on.
        if self._flow is not None:
            self._flow.resume()
        return data

    def _raise_trouble(self) -> None:
        if not isinstance(self._over, Failure):
            return
        try:
            self._over.raiseException()
        except Denied as error:
            raise Hopeless(
                f"{error.message} (mounts.denyNetworks): have the content where tasks of this pool may go"
            ) from error
        except Misnamed as error:
            raise Hopeless(error.message) from error
        except Unreachable as error:
            raise Passing(error.message) from error
        except CancelledError as error:
            # Of the client, which is closed: nobody here gave up.
            raise Passing("the connection was closed") from error

    def _end(self, how: bool | Failure) -> None:
        self._over = how
        self.whole = how is True
        self._wake()

    def _more(self) -> Deferred[None]:
        news = self._news = Deferred()
        return news

    def _wake(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.called:
            news.callback(None)
