"""What a run's payload calls content, found out and fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tcworker.download.downloads import Downloads
from tcworker.download.file_sink import FileSink
from tcworker.download.progress import Progress
from tcworker.download.resolving import Inline, Remote, resolve, unpinned
from tcworker.download.sources import Services
from tcworker.download.transfer import Transfer
from tcworker.interfaces import Fetched, IContent, IContents, ISink


@implementer(IContents)
class Contents:
    """See L{IContents}."""

    def __init__(self, services: Services, downloads: Downloads) -> None:
        self._services = services
        self._downloads = downloads

    def resolve(
        self, content: Mapping[str, Any], say: Callable[[str], None], pinned: bool = True
    ) -> Deferred[IContent]:
        """See L{IContents.resolve}."""
        return Deferred.fromCoroutine(resolve(content, self._services, self._downloads, say, pinned))

    def unpinned(self, content: IContent) -> IContent:
        """See L{IContents.unpinned}."""
        return unpinned(content) if isinstance(content, Remote) else content

    def fetch(self, content: IContent, sink: ISink, say: Callable[[str], None]) -> Deferred[Fetched]:
        """See L{IContents.fetch}."""
        if isinstance(content, Inline):
            return Deferred.fromCoroutine(_give(content, sink))
        assert isinstance(content, Remote), "contents are fetched by who resolved them"
        downloads = self._downloads
        transfer = Transfer(
            content.source,
            content.state,
            sink,
            Progress(downloads.clock, content.words, say),
            servers=downloads.servers,
            threads=downloads.threads,
            clock=downloads.clock,
            seconds=downloads.seconds,
        )
        return Deferred.fromCoroutine(transfer.run())

    def fetch_file(self, content: IContent, path: str, say: Callable[[str], None]) -> Deferred[Fetched]:
        """See L{IContents.fetch_file}."""
        return self.fetch(content, FileSink(path, self._downloads.threads), say)


async def _give(content: Inline, sink: ISink) -> Fetched:
    try:
        await sink.begin(len(content.data))
        await sink.write(content.data)
        await sink.finish()
    except Exception:
        await sink.abandon()
        raise
    return Fetched(len(content.data), content.sha256, 0.0)
