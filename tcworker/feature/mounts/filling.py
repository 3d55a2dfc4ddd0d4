"""What is fetched, into a folder: an archive's files or a single one, while it arrives where that can be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tcworker.download.progress import in_bytes
from tcworker.extract.extractor import Extractor, Owner
from tcworker.interfaces import JSON, Fetched, ICacheFolder, IContent, IContents, Say
from tcworker.waiting import Executor

CONTENT = "content"
"""The name of a single file in its folder."""

_PACKED = "packed"
"""What it is decompressed from, beside it for a while."""


@dataclass(frozen=True)
class Filler:
    """Fills empty folders. What lies in one when that fails is for who made the folder to remove.

    @param extractor: the run's.
    @param threads: for files.
    """

    contents: IContents
    extractor: Extractor
    threads: Executor

    async def extract(self, content: IContent, form: str, folder: ICacheFolder, say: Say) -> JSON:
        """Have the files of an archive in a folder; give what is known of it. Raises a L{TaskError}."""
        owner = None if folder.owner is None else Owner(*folder.owner)
        extraction = self.extractor.into_folder(form, _path_of(folder), owner)
        await extraction.prepare()
        fetched = await self.contents.fetch(content, extraction, say)
        entries, size = extraction.extracted
        say(f"extracted {content.words} ({form}): {entries} entries, {in_bytes(size)}")
        return _known(fetched)

    async def fetch(self, content: IContent, form: str | None, folder: ICacheFolder, say: Say) -> JSON:
        """Have a file in a folder, as L{CONTENT}, decompressed if it has a format. Otherwise as L{extract}."""
        path = os.path.join(_path_of(folder), CONTENT)
        if form is None:
            return _known(await self.contents.fetch_file(content, path, say))
        packed = os.path.join(_path_of(folder), _PACKED)
        fetched = await self.contents.fetch_file(content, packed, say)
        with _opened(packed, os.O_RDONLY) as source, _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as target:
            _, size = await self.extractor.decompress(form, source, target)
        await self.threads.run(os.unlink, packed)
        say(f"decompressed {content.words} ({form}): {in_bytes(size)}")
        return _known(fetched)


def _known(fetched: Fetched) -> JSON:
    return {"sha256": fetched.sha256}


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _path_of(folder: ICacheFolder) -> str:
    path: str | None = folder.path
    assert path is not None, "this platform keeps its folders where nobody else can fill them"
    return path
