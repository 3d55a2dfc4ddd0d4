"""How fast a worker's uploads are, all together, as far as they tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer

from tcworker.client.bodies import PassedOn

WORTH_MEASURING = 1 << 20
"""Bytes: what is smaller takes as long as its call does, and fits into buffers on the way: it tells only that."""

ASSUMED = 20e6
"""Bytes in a second, as long as nothing has been measured."""

LAST_FEW = 5
"""Small files whose time counts; what is older counts less and less."""

MEMORY = 60.0
"""Seconds of sending; after that, what is older counts for half: the time of day makes a difference."""


class Speed:
    """Measures uploads that go on side by side.

    @param seconds: of a steady clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._sending: set[_Sending] = set()
        self._looked = 0.0
        self._bytes = self._busy = 0.0
        self._usual: float | None = None

    @property
    def bytes_per_second(self) -> float:
        """Of all uploads together."""
        self._look()
        return self._bytes / self._busy if self._bytes else ASSUMED

    def seconds_for(self, size: int) -> float:
        """How long so many bytes take, after all that are being sent: at the least as long as small files do."""
        waiting: int = sum(sending.left for sending in self._sending)
        return max((size + waiting) / self.bytes_per_second, self._usual or 0.0)

    @contextmanager
    def measured(self, body: IBodyProducer, judge: Callable[[int], Exception | None]) -> Iterator[IBodyProducer]:
        """Give a body in place of another one, which is measured while it is sent.

        @param judge: asked now and then, with how many bytes are left; what it gives ends the sending.
        """
        self._look()
        sending, began = _Sending(body, self._sent, judge), self._looked
        self._sending.add(sending)
        try:
            yield sending
        finally:
            self._look()
            self._sending.discard(sending)
        # One that failed, after a minute perhaps, tells nothing of those that do not.
        if not sending.is_telling and not sending.left:
            self._took(self._looked - began)

    def _sent(self, size: int) -> None:
        self._bytes += size

    def _took(self, seconds: float) -> None:
        """A small file took so long; the last few count."""
        self._usual = seconds if self._usual is None else self._usual + (seconds - self._usual) / LAST_FEW

    def _look(self) -> None:
        """Count the time since the last look, if there was something to be sent."""
        now = self._seconds()
        if any(sending.is_telling for sending in self._sending):
            self._busy += now - self._looked
        self._looked = now
        if self._busy > MEMORY:
            self._busy, self._bytes = self._busy / 2, self._bytes / 2


class _Sending(PassedOn):
    """A body that is measured on its way.

    @ivar left: bytes that are still to be sent.
    @ivar is_telling: whether it is large enough to tell how fast it goes.
    """

    def __init__(
        self, body: IBodyProducer, count: Callable[[int], None], judge: Callable[[int], Exception | None]
    ) -> None:
        super().__init__(body)
        self._count = count
        self._judge = judge
        self._sent: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self.left = self.length
        self.is_telling = self.length >= WORTH_MEASURING

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        super().startProducing(consumer).addBoth(self._over)
        return self._sent

    def write(self, data: bytes) -> None:
        """Pass a piece on, and see whether the rest is worth the trouble."""
        self.left -= len(data)
        if self.is_telling:
            self._count(len(data))
        super().write(data)
        if self.left and (why := self._judge(self.left)):
            self.stopProducing()
            self._sent.errback(why)

    def _over(self, result: Failure | None) -> None:
        if not self._sent.called:
            self._sent.callback(result)
