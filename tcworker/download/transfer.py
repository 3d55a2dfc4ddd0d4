"""Brings one content from its server to a sink, through whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from tcworker.client.streaming import Head
from tcworker.download.address import Address
from tcworker.download.answers import NoSuchPart
from tcworker.download.arriving import Arriving
from tcworker.download.body import Body
from tcworker.download.passing import LEAST_SPEED, Hopeless, Passing, Persistence
from tcworker.download.progress import Progress, in_bytes
from tcworker.download.servers import Servers
from tcworker.errors import ContentChanged
from tcworker.interfaces import Fetched, ISink
from tcworker.waiting import Executor

ENCODINGS = {"Accept-Encoding": "identity, gzip;q=0.5"}
"""A storage sends what it has, whatever is asked for; who could send it either way should not compress it for us."""


class Source(Protocol):
    """Something to fetch.

    @ivar known_as: what it is, without secrets, and without what is one task's own: others may wait for it, too.
    @ivar sha256: that it must have.
    """

    known_as: str
    sha256: str | None

    async def address(self, patience: Persistence) -> Address:
        """Where it is to be asked for now. Raises L{Passing} or a L{tcworker.errors.TaskError}."""


@dataclass(frozen=True)
class State:
    """A state of some content.

    @ivar identity: as of its L{Address}.
    @ivar validator: what its server told it apart by, empty if it was not asked.
    """

    identity: str = field(repr=False)
    validator: str

    def check(self, address: Address) -> None:
        """Raises L{ContentChanged} for an address of something else."""
        if address.identity != self.identity:
            raise ContentChanged("it was published anew meanwhile")

    def check_answer(self, validator: str) -> None:
        """Raises L{ContentChanged} for an answer with another state."""
        if self.validator and validator != self.validator:
            raise ContentChanged("its server has another one meanwhile")


class Transfer:
    """One download.

    @param state: that the content must be in, C{None} for any. Where it is in another, L{run} raises
        L{ContentChanged}.
    @param seconds: how long it may go on without going forward.
    """

    def __init__(
        self,
        source: Source,
        state: State | None,
        sink: ISink,
        progress: Progress,
        *,
        servers: Servers,
        threads: Executor,
        clock: IReactorTime,
        seconds: float,
    ) -> None:
        self._source = source
        self._state = state
        self._sink = sink
        self._progress = progress
        self._servers = servers
        self._threads = threads
        self._patience = Persistence(clock, seconds)
        self._body: Body | None = None
        self._farthest = 0
        self._whole = True

    @property
    def taken(self) -> int:
        """Bytes that are here."""
        return 0 if self._body is None else self._body.taken

    @property
    def total(self) -> int | None:
        """Bytes that there will be."""
        return None if self._body is None else self._body.state.total

    async def run(self) -> Fetched:
        """Do all of it, up to the end of the sink, which gives what L{tcworker.interfaces.IContents.fetch} does."""
        self._progress.start(self)
        try:
            fetched = await self._patience.persist(self._source.known_as, self._attempt, self._progress.say)
            await self._sink.finish()
        # Whoever cancels this cancels what it waits for, and that fails with an exception like any other.
        except Exception:
            await self._sink.abandon()
            raise
        finally:
            self._progress.stop()
        self._progress.done(fetched.size, fetched.sha256)
        return fetched

    async def _attempt(self) -> Fetched:
        address = await self._source.address(self._patience)
        if self._state is not None:
            self._state.check(address)
        wanted = _wanted(address, self._source.sha256)
        try:
            await self._receive(address, wanted)
        except NoSuchPart:
            # Asked the same again, the server would say the same again.
            self._body = None
            raise
        return self._check(wanted)

    async def _receive(self, address: Address, wanted: Mapping[str, str]) -> None:
        # A server that hangs may take what is left of the time, and no more.
        headers = {**ENCODINGS, **self._part()}
        answer = await self._servers.ask("GET", address, headers, lambda: self._patience.silence)
        try:
            body = await self._body_of(answer, wanted)
            while piece := await answer.next():
                await self._take(body, piece)
        finally:
            await answer.close()
        if body.state.total is not None and not body.complete:
            raise Passing(f"the server sent {in_bytes(body.taken)} of {in_bytes(body.state.total)}")
        self._whole = answer.whole or body.complete

    def _part(self) -> Mapping[str, str]:
        """The headers that ask for what is not here yet; none where all must be asked for."""
        body = self._body
        if body is None or not body.taken or not body.state.condition:
            return {}
        return {"Range": f"bytes={body.taken}-", "If-Range": body.state.condition}

    async def _body_of(self, answer: Arriving, wanted: Mapping[str, str]) -> Body:
        """What an answer goes on with, or else begins."""
        head = answer.head
        assert head is not None
        body, self._body = self._body, None
        if head.status != 206:
            self._body = await self._begun(head, wanted)
        # Of a wrong part nothing is of use, and the next attempt asks for all of it.
        elif body is None or not body.goes_on(head):
            raise Passing("the server sent another part than it was asked for")
        else:
            self._body = body
        return self._body

    async def _begun(self, head: Head, wanted: Mapping[str, str]) -> Body:
        body = Body(head, self._sink, self._threads, wanted)
        if self._state is not None:
            self._state.check_answer(body.state.validator)
        with self._patience.held():
            await body.begin()
        return body

    async def _take(self, body: Body, piece: bytes) -> None:
        # Who unpacks it takes it as fast as that goes.
        with self._patience.held():
            await body.take(piece)
        # Begun anew, what comes again is no step forward: who is always cut at one place would never be given up.
        new = max(0, body.taken - self._farthest)
        self._farthest += new
        self._patience.came(len(piece), new)
        if self._patience.too_slow and not body.complete:
            raise Passing(f"the server sends less than {in_bytes(LEAST_SPEED)} a second")

    def _check(self, wanted: Mapping[str, str]) -> Fetched:
        body = self._body
        assert body is not None
        if body.is_half:
            raise self._wrong("its content encoding is gzip, which ends before its time")
        digests = body.digests()
        for name, digest in wanted.items():
            if digest and digests[name] != digest:
                what = f"it has the {name} {digests[name]}, not {digest}"
                raise self._wrong(f"{what}: either it was replaced, or the checksum is another file's")
        return Fetched(body.size, digests["sha256"], self._progress.seconds)

    def _wrong(self, what: str) -> Exception:
        self._body = None
        # Where the end is not marked, a connection that broke looks like one.
        return Hopeless(what) if self._whole else Passing(f"{what}; perhaps not all of it came")


def _wanted(address: Address, sha256: str | None) -> Mapping[str, str]:
    """The checksums that content must have, by algorithm; empty where it may be any. The first is always SHA-256.

    Raises L{Hopeless} for an object without one that can be checked (contracts of the queue, 6.2).
    """
    given = address.hashes
    if given is None:
        return {"sha256": sha256 or ""}
    known = {name: given[name].lower() for name in ("sha256", "sha512") if name in given}
    if not known:
        raise Hopeless("the object has no checksum that can be checked: neither sha256 nor sha512")
    if sha256 and known.get("sha256", sha256) != sha256:
        raise Hopeless(f"it has the sha256 {known['sha256']}, not {sha256}, as the object service says")
    return {"sha256": sha256 or "", **known}
