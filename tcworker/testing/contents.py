"""Contents that are in memory, and a sink into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from tcworker.errors import DownloadFailed, TaskError
from tcworker.interfaces import Fetched, IContent, IContents, ISink, Say

PIECE = 1 << 16


@implementer(IContent)
@dataclass(frozen=True)
class FakeContent:
    """See L{IContent}."""

    key: str
    words: str
    sha256: str | None = None
    lasting: bool = True


@implementer(IContents)
class FakeContents:
    """Contents by what the payload says where they are: an address, an artifact's name, a text.

    @ivar there: what there is; an error fails whoever fetches it.
    @ivar resolved: what was asked for, in order.
    @ivar fetched: the same of what was fetched.
    """

    def __init__(self) -> None:
        self.there: dict[str, bytes | TaskError] = {}
        self.resolved: list[str] = []
        self.fetched: list[str] = []

    def resolve(self, content: Mapping[str, Any], say: Say, pinned: bool = True) -> Deferred[IContent]:
        """See L{IContents.resolve}."""
        name = content.get("artifact") or content.get("url") or content.get("raw") or content["base64"]
        self.resolved.append(name)
        if name not in self.there:
            return fail(DownloadFailed(f"{name}: there is no such thing"))
        found = FakeContent(name, name, content.get("sha256"))
        return succeed(found if pinned else self.unpinned(found))

    def unpinned(self, content: IContent) -> IContent:
        """See L{IContents.unpinned}."""
        return FakeContent(f"{content.key} unpinned", content.words, content.sha256, False)

    def fetch(self, content: IContent, sink: ISink, say: Say) -> Deferred[Fetched]:
        """See L{IContents.fetch}."""
        return Deferred.fromCoroutine(self._fetch(content, sink, say))

    def fetch_file(self, content: IContent, path: str, say: Say) -> Deferred[Fetched]:
        """See L{IContents.fetch_file}."""
        sink = MemorySink()
        fetching = self.fetch(content, sink, say)
        return fetching.addCallback(lambda fetched: _write(path, sink.data, fetched))

    async def _fetch(self, content: IContent, sink: ISink, say: Say) -> Fetched:
        self.fetched.append(content.words)
        say(f"downloading {content.words}")
        try:
            data = self._data(content)
            await sink.begin(len(data))
            for at in range(0, len(data), PIECE):
                await sink.write(data[at : at + PIECE])
            await sink.finish()
        except Exception:
            await sink.abandon()
            raise
        return Fetched(len(data), hashlib.sha256(data).hexdigest(), 0.0)

    def _data(self, content: IContent) -> bytes:
        data = self.there[content.words]
        if isinstance(data, TaskError):
            raise data
        if content.sha256 not in (None, hashlib.sha256(data).hexdigest()):
            raise DownloadFailed(f"{content.words}: its checksum is another")
        return data


@implementer(ISink)
class MemorySink:
    """Keeps what it is given.

    @ivar data: what came since it was last begun.
    @ivar sizes: those that it was told, once for each time that it was begun.
    @ivar refuse: what it fails with when it is given something.
    @ivar hold: the next piece waits for it, if there is one.
    """

    def __init__(self) -> None:
        self.data = b""
        self.sizes: list[int | None] = []
        self.finished = self.abandoned = False
        self.refuse: Exception | None = None
        self.hold: Deferred[None] | None = None

    def begin(self, size: int | None) -> Deferred[None]:
        """See L{ISink.begin}."""
        self.sizes.append(size)
        self.data = b""
        return succeed(None)

    def write(self, data: bytes) -> Deferred[None]:
        """See L{ISink.write}."""
        self.data += data
        if self.refuse is not None:
            return fail(self.refuse)
        hold, self.hold = self.hold, None
        return succeed(None) if hold is None else hold

    def finish(self) -> Deferred[None]:
        """See L{ISink.finish}."""
        self.finished = True
        return succeed(None)

    def abandon(self) -> Deferred[None]:
        """See L{ISink.abandon}."""
        self.abandoned = True
        return succeed(None)


def _write(path: str, data: bytes, fetched: Fetched) -> Fetched:
    Path(path).write_bytes(data)
    return fetched
