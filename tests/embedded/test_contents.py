"""The files of contents, and the table that knows them."""

from __future__ import annotations

import errno
import os
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import contents
from tcworker.embedded.contents import Contents
from tcworker.embedded.database import Database
from tests.embedded.wire import InThisThread


class ContentsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.threads: Any = InThisThread(None, 1, "files")
        opening = Database.open(partial(InThisThread, None), None, contents.SCHEMA)  # type: ignore[arg-type]  # see wire
        self.database = self.successResultOf(Deferred.fromCoroutine(opening))
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(self.database.close())))
        self.contents = self.again()

    def again(self) -> Contents:
        """Another process on the same folder."""
        return Contents(str(self.folder), self.database, self.threads)

    def result(self, work: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def put(self, key: str, content: bytes, content_type: str = "text/plain") -> bool:
        return bool(self.result(self.contents.put(key, BytesIO(content), content_type)))

    def read(self, key: str) -> tuple[str, bytes] | None:
        found = self.result(self.contents.open(key))
        if found is None:
            return None
        with found[1] as file:
            return found[0].content_type, file.read()

    def files(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in self.folder.iterdir())


class Keeping(ContentsTestCase):
    def test_what_was_put_is_got(self) -> None:
        self.assertFalse(self.put("a", b"hello"))
        self.assertEqual(self.read("a"), ("text/plain", b"hello"))
        self.assertIsNone(self.read("b"))

    def test_another_takes_its_place_with_all_that_is_known_of_it(self) -> None:
        self.put("a", b"hello")
        self.assertTrue(self.put("a", b"<p>", "text/html"))
        self.assertEqual(self.read("a"), ("text/html", b"<p>"))

    def test_whoever_reads_reads_on(self) -> None:
        self.put("a", b"first")
        _, file = self.result(self.contents.open("a"))
        self.put("a", b"second")
        self.result(self.contents.clear())
        with file:
            self.assertEqual(file.read(), b"first")

    def test_one_that_was_replaced_just_now_is_looked_for_again(self) -> None:
        self.put("a", b"first")
        read = self.database.read
        overtaken: list[bool] = []

        def overtake(job: Any, *args: Any) -> Any:
            found = read(job, *args)
            if not overtaken:
                overtaken.append(True)
                self.put("a", b"second")
                self.result(self.contents.clear())
            return found

        self.patch(self.database, "read", overtake)
        self.assertEqual(self.read("a"), ("text/plain", b"second"))

    def test_one_whose_file_is_lost_is_not_there(self) -> None:
        self.put("a", b"hello")
        for path in self.folder.iterdir():
            path.unlink()
        self.assertIsNone(self.read("a"))


class Removing(ContentsTestCase):
    def test_what_was_replaced_or_forgotten(self) -> None:
        for key, content in (("a", b"1"), ("a", b"2"), ("b", b"3"), ("c", b"4")):
            self.put(key, content)
        self.successResultOf(self.database.run(contents.forget, "b"))
        self.assertIsNone(self.read("b"))
        self.result(self.contents.clear())
        self.assertEqual(self.files(), [b"2", b"4"])

    def test_many_at_once(self) -> None:
        self.patch(contents, "FILES_AT_ONCE", 2)
        for content in (b"1", b"2", b"3", b"4", b"5", b"6"):
            self.put("a", content)
        self.result(self.contents.clear())
        self.assertEqual(self.files(), [b"6"])

    def test_what_is_gone_already_is_no_trouble(self) -> None:
        self.put("a", b"1")
        self.put("a", b"2")
        for path in self.folder.iterdir():
            path.unlink()
        self.result(self.contents.clear())
        self.put("a", b"3")
        self.result(self.contents.clear())
        self.assertEqual(self.files(), [b"3"])

    def test_what_could_not_be_written_down_is_not_kept(self) -> None:
        self.patch(self.database, "run", lambda *_: fail(OSError("disk full")))
        self.failureResultOf(Deferred.fromCoroutine(self.contents.put("a", BytesIO(b"1"), "")), OSError)
        self.assertEqual(self.files(), [])

    def test_what_an_earlier_process_did_not_finish(self) -> None:
        self.patch(contents, "FILES_AT_ONCE", 2)
        for key in ("a", "b", "c"):
            self.put(key, key.encode())
        for name in ("1", "2", "3"):
            (self.folder / name).write_bytes(b"left")
        later = self.again()
        self.contents = later
        self.put("d", b"d")
        # An upload of this process that is not written down yet.
        self.folder.joinpath(f"{later._epoch}.x").write_bytes(b"under way")
        self.result(later.tidy())
        self.assertEqual(self.files(), [b"a", b"b", b"c", b"d", b"under way"])

    def test_a_spooled_file_is_copied_where_files_have_one_name(self) -> None:
        def refuse(*_: str) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        self.patch(os, "link", refuse)
        spooled = Path(self.mktemp())
        with open(spooled, "w+b") as body:
            body.write(b"large")
            self.result(self.contents.put("a", body, "text/plain"))
        self.assertEqual(self.read("a"), ("text/plain", b"large"))

    def test_a_spooled_file_is_linked_and_not_copied(self) -> None:
        spooled = Path(self.mktemp())
        spooled.write_bytes(b"large")
        with open(spooled, "rb") as body:
            self.result(self.contents.put("a", body, "text/plain"))
        self.assertEqual([os.stat(path).st_ino for path in self.folder.iterdir()], [os.stat(spooled).st_ino])
