"""The bodies of requests and of answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol as Shape

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer


class TooLong(Exception):
    """An answer's body is longer than the caller wants it to be."""


class Cut(Exception):
    """An answer came although the server had not yet been given the whole body."""


class Abortable(Shape):
    """A transport, as far as an upload that must end needs it."""

    def abortConnection(self) -> None: ...


@implementer(IBodyProducer)
class BytesBody:
    """A body that is in memory, written at one go."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing is left to be held back."""

    def resumeProducing(self) -> None:
        """Nothing is left to be held back."""

    def stopProducing(self) -> None:
        """Nothing is left to be held back."""


@implementer(IBodyProducer)
class PassedOn:
    """Another body, each piece of which goes through L{write}."""

    def __init__(self, body: IBodyProducer) -> None:
        self._body = body
        self.length: int = body.length

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        produced: Deferred[None] = self._body.startProducing(self)
        return produced

    def write(self, data: bytes) -> None:
        """Pass a piece on."""
        self._consumer.write(data)

    def pauseProducing(self) -> None:
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        self._body.stopProducing()


@implementer(IBodyProducer)
class Upload:
    """A body on its way, which tells of each piece and can be ended when the answer comes before its time.

    @ivar connection: that it is sent over, once it is.
    @ivar problem: why the body could not be produced, C{None} while it can.
    @param moved: called whenever bytes went out.
    """

    def __init__(self, body: IBodyProducer, moved: Callable[[], None]) -> None:
        self.length = body.length
        self.connection: Abortable | None = None
        self.problem: BaseException | None = None
        self._body = body
        self._moved = moved
        self._written = 0
        self._over = self._produced = False

    @property
    def complete(self) -> bool:
        """Whether every byte was handed to the connection."""
        # A body learns of its own end a moment after its last byte, and an answer may come in between.
        return self._produced or self._written == self.length

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        outer: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._body.startProducing(self).addCallbacks(self._finished, self._broke).chainDeferred(outer)
        return outer

    def write(self, data: bytes) -> None:
        """Take a piece from the body."""
        self._written += len(data)
        self._moved()
        self._consumer.write(data)

    def pauseProducing(self) -> None:
        if not self._over:
            self._body.pauseProducing()

    def resumeProducing(self) -> None:
        if not self._over:
            # The connection took what it was given: that too shows that it lives.
            self._moved()
            self._body.resumeProducing()

    def stopProducing(self) -> None:
        # A body may be stopped only once, and both the connection and the exchange want to.
        if not self._over:
            self._over = True
            self._body.stopProducing()

    def end(self) -> None:
        """The exchange is over. A body that still has something to send, or never began, is stopped.

        Its connection can serve nobody else then, and is closed.
        """
        if self._over:
            return
        self.stopProducing()
        # What follows the half of a body would be read as its other half.
        if self.connection is not None:
            self.connection.abortConnection()

    def _finished(self, _: object) -> None:
        self._over = self._produced = True

    def _broke(self, reason: Failure) -> Failure:
        # Kept, for what Twisted makes of it would say only that some request failed.
        self._over = True
        self.problem = reason.value
        return reason


class Answering(Protocol):
    """Reads the body of an answer: C{done} fires when C{write} was given all of it, and fails when it broke off.

    Cancelling C{done} closes the connection.

    @ivar problem: what C{write} raised, C{None} if it never did.
    """

    problem: Exception | None = None

    def __init__(self, write: Callable[[bytes], None], moved: Callable[[], None]) -> None:
        self._write = write
        self._moved = moved
        self.done: Deferred[None] = Deferred(lambda _: self._close())

    def dataReceived(self, data: bytes) -> None:
        # A few more pieces come before a connection is closed, and nobody waits for them.
        if self.problem is not None:
            return
        self._moved()
        self._guard(partial(self._write, data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        # An answer without a length ends with its connection; whoever reads it must see whether it is whole.
        if self.problem is None and reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(None)
        else:
            self.done.errback(self.problem or reason)

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self.problem = error
            self._close()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


class Collected:
    """A body kept in memory, up to a limit in bytes."""

    def __init__(self, limit: int) -> None:
        self._pieces: list[bytes] = []
        self._room = limit

    def write(self, data: bytes) -> None:
        """Take a piece; raises L{TooLong}."""
        self._room -= len(data)
        if self._room < 0:
            raise TooLong("the answer is longer than it may be")
        self._pieces.append(data)

    def content(self) -> bytes:
        """All pieces."""
        return b"".join(self._pieces)
