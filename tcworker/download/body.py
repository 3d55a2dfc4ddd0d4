"""Content on its way from an answer to a sink: what the server encoded is undone, all of it is hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from twisted.internet.defer import Deferred, succeed

from tcworker.client.streaming import Head
from tcworker.download.gunzip import Gunzip
from tcworker.download.representation import Representation
from tcworker.interfaces import ISink
from tcworker.waiting import Executor

SMALL = 32 * 1024
"""Bytes that are hashed in less time than it takes to ask a thread to do it."""


class Body:
    """One state of some content, of which more and more is here; a connection that broke is not its end.

    @ivar taken: bytes, as the server sends them.
    @ivar size: bytes that the sink was given.
    """

    def __init__(self, head: Head, sink: ISink, threads: Executor, algorithms: Iterable[str]) -> None:
        self.state = Representation.read(head)
        self.taken = self.size = 0
        self._sink = sink
        self._threads = threads
        self._digests = {name: hashlib.new(name) for name in algorithms}
        # Any other encoding is passed on as it is: nobody asked for it, so it is part of what is stored there.
        self._gunzip = Gunzip() if self.state.encoding == "gzip" else None

    @property
    def complete(self) -> bool:
        """Whether all is here that the server has, as far as it said how much that is."""
        return self.taken == self.state.total

    def goes_on(self, head: Head) -> bool:
        """See whether an answer with a part goes on where this ends, and what it says of the whole."""
        state = self.state.continued(head, self.taken)
        if state is not None:
            self.state = state
        return state is not None

    async def begin(self) -> None:
        """Tell the sink."""
        await self._sink.begin(self.state.total if self._gunzip is None else None)

    async def take(self, data: bytes) -> None:
        """Take the next piece."""
        self.taken += len(data)
        if self._gunzip is None:
            await self._pass_on(data)
            return
        self._gunzip.give(data)
        # In a thread and by the megabyte: how much comes out is the server's to say.
        while piece := await self._threads.run(self._gunzip.take):
            await self._pass_on(piece)

    @property
    def is_half(self) -> bool:
        """Whether what the server encoded cannot end here."""
        return self._gunzip is not None and not self._gunzip.complete

    def digests(self) -> dict[str, str]:
        """The checksums of what is here, in hexadecimal, by algorithm."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    async def _pass_on(self, piece: bytes) -> None:
        # Side by side: both let other threads run.
        hashing = self._hash(piece)
        await self._sink.write(piece)
        await hashing
        self.size += len(piece)

    def _hash(self, piece: bytes) -> Deferred[None]:
        if len(piece) > SMALL:
            return self._threads.run(self._update, piece)
        self._update(piece)
        return succeed(None)

    def _update(self, piece: bytes) -> None:
        for digest in self._digests.values():
            digest.update(piece)
