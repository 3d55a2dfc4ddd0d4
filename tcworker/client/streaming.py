"""Answers that are read as they come, no faster than their reader likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import PotentialDataLoss

from tcworker.client.bodies import Answering
from tcworker.client.limit import Limit


class Flow(Protocol):
    """An answer on its way, as far as whoever reads it may hold it back; both are repeatable."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@dataclass(frozen=True)
class Head:
    """What comes before an answer's body.

    @ivar headers: by their names in lower case; repeated ones joined by commas. Without C{Content-Length}.
    @ivar length: of the body as it is sent, C{None} if that is not said.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    length: int | None


class Reader(Protocol):
    """Whoever reads an answer as it comes. What a method raises ends the call, and comes out of it."""

    def begin(self, head: Head, flow: Flow) -> None: ...

    def write(self, data: bytes) -> None: ...


class Streaming(Answering):
    """Reads the body of an answer for a L{Reader}, who may hold it back; otherwise as L{Answering}.

    @ivar whole: whether the server said where the end is; without that nobody can tell a cut.
    @param limit: does not count while it is held back.
    """

    whole = True

    def __init__(self, head: Head, reader: Reader, limit: Limit) -> None:
        super().__init__(reader.write, limit.moved)
        self._begin = partial(reader.begin, head, self)
        self._limit = limit
        self._paused = False

    def connectionMade(self) -> None:
        self._guard(self._begin)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.whole = not reason.check(PotentialDataLoss)
        super().connectionLost(reason)

    def pause(self) -> None:
        """Let nothing come for now, but what is on its way within this machine."""
        # Each time, for the beginning of a body is given on whatever was said before.
        self._producer.pauseProducing()
        if not self._paused and not self.done.called:
            self._paused = True
            self._limit.stop()

    def resume(self) -> None:
        """Go on."""
        if self._paused and not self.done.called:
            self._paused = False
            self._limit.go_on()
            self._producer.resumeProducing()

    @property
    def _producer(self) -> Any:
        """The transport, whose interface has less than every real one."""
        return self.transport
