"""A cache as a tar."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.tar import pieces_of
from tcworker.testing.facilities import NoThreads


class Archiving(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def tar(self, meanwhile: Callable[[int], None] = lambda count: None) -> tuple[list[bytes], tarfile.TarFile]:
        """Its pieces, after each of which something is done, and what they are together."""

        async def read() -> list[bytes]:
            pieces = []
            async for piece in pieces_of(str(self.folder), NoThreads()):
                pieces.append(piece)
                meanwhile(len(pieces))
            return pieces

        pieces = self.successResultOf(Deferred.fromCoroutine(read()))
        return pieces, tarfile.open(fileobj=io.BytesIO(b"".join(pieces)))

    def test_an_empty_folder(self) -> None:
        self.assertEqual(self.tar()[1].getnames(), [])

    def test_all_that_is_in_it(self) -> None:
        (self.folder / "a" / "b").mkdir(parents=True)
        (self.folder / "a" / "b" / "file").write_bytes(b"content")
        (self.folder / "a" / ("long" * 60)).write_bytes(b"x" * 513)
        os.symlink("/nowhere", self.folder / "link")
        os.link(self.folder / "a" / "b" / "file", self.folder / "twin")
        _, tar = self.tar()
        long = "a/" + "long" * 60
        self.assertEqual(sorted(tar.getnames()), sorted(["a", "a/b", "a/b/file", long, "link", "twin"]))
        self.assertEqual(tar.extractfile("a/b/file").read(), b"content")  # type: ignore[union-attr]  # it is a file
        self.assertEqual(tar.extractfile(long).read(), b"x" * 513)  # type: ignore[union-attr]  # it is a file
        self.assertEqual((tar.getmember("link").linkname, tar.getmember("link").issym()), ("/nowhere", True))
        self.assertEqual({tar.getmember("twin").islnk(), tar.getmember("a/b/file").islnk()}, {True, False})

    def test_large_files_come_in_pieces(self) -> None:
        (self.folder / "large").write_bytes(os.urandom(5 << 20))
        pieces, tar = self.tar()
        self.assertLessEqual(max(map(len, pieces)), 1 << 20)
        self.assertEqual(tar.extractfile("large").read(), (self.folder / "large").read_bytes())  # type: ignore[union-attr]  # so

    def test_one_that_becomes_shorter_meanwhile_spoils_no_other(self) -> None:
        (self.folder / "large").write_bytes(os.urandom(3 << 20))
        (self.folder / "last").write_bytes(b"content")

        def shorten(count: int) -> None:
            if count == 2:
                os.truncate(self.folder / "large", 0)

        _, tar = self.tar(shorten)
        self.assertEqual(tar.getmember("large").size, 3 << 20)
        self.assertEqual(tar.extractfile("last").read(), b"content")  # type: ignore[union-attr]  # it is a file

    def test_sockets_are_left_out(self) -> None:
        os.mknod(self.folder / "socket", stat.S_IFSOCK | 0o600)
        (self.folder / "file").touch()
        self.assertEqual(self.tar()[1].getnames(), ["file"])

    def test_folders_and_links_to_them_are_not_entered_twice(self) -> None:
        (self.folder / "folder").mkdir()
        (self.folder / "folder" / "file").touch()
        os.symlink("folder", self.folder / "link")
        self.assertEqual(sorted(self.tar()[1].getnames()), ["folder", "folder/file", "link"])
