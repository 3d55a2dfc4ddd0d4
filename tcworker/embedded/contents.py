"""The contents of artifacts and objects: files in a folder, and a table that says which of them is what.

A file has a name of its own and never changes. An upload makes a new one, and one transaction puts it in the old one's
place: whoever reads the old one reads it to its end, and a content never has another one's type.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, BinaryIO

import slugid
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tcworker.embedded import rows
from tcworker.embedded.database import Database
from tcworker.embedded.links import link
from tcworker.waiting import Executor, Loose

SCHEMA = """
CREATE TABLE IF NOT EXISTS contents (
    key TEXT PRIMARY KEY, file TEXT NOT NULL UNIQUE, content_type TEXT NOT NULL, content_encoding TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS discarded_files (file TEXT PRIMARY KEY) WITHOUT ROWID;
"""

FILES_AT_ONCE = 500
TRIES = 5


@dataclass(frozen=True)
class Content:
    """What is known of a content.

    @ivar file: its name in the folder.
    @ivar content_encoding: as it was uploaded; C{None} when nothing was said of it.
    """

    file: str
    content_type: str
    content_encoding: str | None


def find(connection: sqlite3.Connection, key: str) -> Content | None:
    """A job that gives what is kept by a key."""
    row = connection.execute("SELECT * FROM contents WHERE key = ?", (key,)).fetchone()
    return rows.read(Content, row) if row else None


def keep(connection: sqlite3.Connection, key: str, content: Content) -> bool:
    """A job that keeps a content, in place of another one by that key; gives whether there was one."""
    replaced = forget(connection, key)
    rows.add(connection, "contents", {"key": key, **vars(content)})
    return replaced


def forget(connection: sqlite3.Connection, key: str) -> bool:
    """A job that keeps nothing by a key any more; gives whether something was. Its file goes in L{Contents.clear}."""
    connection.execute("INSERT INTO discarded_files (file) SELECT file FROM contents WHERE key = ?", (key,))
    return connection.execute("DELETE FROM contents WHERE key = ?", (key,)).rowcount > 0


class Contents:
    """The folder of files.

    @param folder: on the disk to which L{tcworker.embedded.site} spools large bodies.
    """

    def __init__(self, folder: str, database: Database, threads: Executor) -> None:
        self._folder = folder
        self._database = database
        self._threads = threads
        self._putting = Loose(Logger())
        # Tells the files of this process from those that an earlier one left.
        self._epoch = slugid.v4()

    async def put(self, key: str, body: IO[bytes], content_type: str, content_encoding: str | None = None) -> bool:
        """Keep a body, whole or not at all; gives whether another one was there.

        What has begun comes to its end, even if who waits for it is cancelled: the table is what the folder is.
        """
        return await self._putting.finish(self._put(key, body, content_type, content_encoding), "keeping a content")

    def wait(self) -> Deferred[None]:
        """Fire when all is kept that is being put."""
        return self._putting.wait()

    async def _put(self, key: str, body: IO[bytes], content_type: str, content_encoding: str | None) -> bool:
        file = f"{self._epoch}.{slugid.v4()}"
        try:
            await self._place(body, self._path(file))
            return await self._database.run(keep, key, Content(file, content_type, content_encoding))
        except BaseException:
            self._remove([file])
            raise

    async def open(self, key: str) -> tuple[Content, BinaryIO] | None:
        """Give a content and its file, to be closed by the caller; C{None} when there is none."""
        for _ in range(TRIES):
            content = await self._database.read(find, key)
            if content is None:
                return None
            # Another upload may have taken its place after we looked: then there is a newer one.
            with suppress(FileNotFoundError):
                return content, self._open(content.file)
        return None

    async def clear(self) -> None:
        """Remove the files of what is forgotten."""
        while files := await self._database.read(_discarded, FILES_AT_ONCE):
            await self._threads.run(self._remove, files)
            await self._database.run(_forget_files, files)

    async def tidy(self) -> None:
        """Remove the files of uploads that an earlier process did not finish."""
        left = await self._threads.run(self._left)
        for start in range(0, len(left), FILES_AT_ONCE):
            unknown = await self._database.read(_unknown, left[start : start + FILES_AT_ONCE])
            await self._threads.run(self._remove, unknown)

    def _left(self) -> Sequence[str]:
        return [file for file in os.listdir(self._folder) if not file.startswith(self._epoch)]

    def _open(self, file: str) -> BinaryIO:
        return open(self._path(file), "rb")

    def _path(self, file: str) -> str:
        return os.path.join(self._folder, file)

    def _remove(self, files: Sequence[str]) -> None:
        for file in files:
            with suppress(FileNotFoundError):
                os.unlink(self._path(file))

    async def _place(self, body: IO[bytes], path: str) -> None:
        if isinstance(name := getattr(body, "name", None), str):
            # A second name for the spooled file, whose first one goes with the request.
            body.flush()
            if not link(name, path):
                # By a number of our own: the request may end, and with it the file, before all is copied.
                await self._threads.run(_copy, os.dup(body.fileno()), path)
        else:
            await self._write(path, body.read())

    def _write(self, path: str, content: bytes) -> Deferred[None]:
        return self._threads.run(_write, path, content)


def _write(path: str, content: bytes) -> None:
    with open(path, "xb") as file:
        file.write(content)


def _copy(descriptor: int, path: str) -> None:
    with open(descriptor, "rb") as source, open(path, "xb") as file:
        source.seek(0)
        shutil.copyfileobj(source, file)


def _discarded(connection: sqlite3.Connection, most: int) -> Sequence[str]:
    return [row[0] for row in connection.execute("SELECT file FROM discarded_files LIMIT ?", (most,))]


def _forget_files(connection: sqlite3.Connection, files: Sequence[str]) -> None:
    connection.executemany("DELETE FROM discarded_files WHERE file = ?", [(file,) for file in files])


def _unknown(connection: sqlite3.Connection, files: Sequence[str]) -> Sequence[str]:
    """Give those files that are nobody's content."""
    known = connection.execute(f"SELECT file FROM contents WHERE file IN ({', '.join('?' * len(files))})", files)
    return sorted(set(files) - {row[0] for row in known})
