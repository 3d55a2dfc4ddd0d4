"""Types and encodings by name."""

from __future__ import annotations

import mimetypes

from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.content import content_encoding, content_type
from tcworker.task.content_types import _TABLE, TYPES


class Types(SynchronousTestCase):
    """Content types."""

    def test_the_tables(self) -> None:
        for name, expected in {
            "public/build.log": "text/plain",
            "public/data.jsonl": "application/jsonl",
            "a/b/index.html": "text/html; charset=utf-8",
            "notes.txt": "text/plain; charset=utf-8",
            "app.js": "text/javascript; charset=utf-8",
            "data.json": "application/json",
            "target.tar.gz": "application/gzip",
            "image.PNG": "image/png",
            "README": "application/octet-stream",
            "strange.xyzzy": "application/octet-stream",
            "folder.txt/file": "application/octet-stream",
            "trailing.": "application/octet-stream",
            "results.xml": "application/xml",
            "config.YML": "application/yaml",
            "target.tar.zst": "application/zstd",
            "change.patch": "text/plain; charset=utf-8",
            "tcworker-1.0-py3-none-any.whl": "application/octet-stream",
        }.items():
            self.assertEqual(content_type(name), expected, name)

    def test_the_tables_of_the_machine_are_not_asked(self) -> None:
        self.patch(mimetypes, "_db", None)
        mimetypes.add_type("text/x-strange", ".xyzzy")
        self.assertEqual(content_type("a.xyzzy"), "application/octet-stream")

    def test_the_table_has_each_extension_once(self) -> None:
        listed = [extension for line in _TABLE.split("\n") for extension in line.partition(": ")[2].split()]
        self.assertEqual(sorted(listed), sorted(extension[1:] for extension in TYPES))
        self.assertEqual([extension for extension in listed if extension != extension.lower()], [])

    def test_what_the_path_does_not_say_the_name_does(self) -> None:
        self.assertEqual(content_type("a.bin", "b.png"), "application/octet-stream")
        self.assertEqual(content_type("a", "b.png"), "image/png")


class Encodings(SynchronousTestCase):
    """Content encodings."""

    def test_what_is_compressed_already_stays_as_it_is(self) -> None:
        listed = "7z br aab apk bz2 deb dmg flv gif gz jar jpeg jpg lz lz4 mz npz pkg png swf sz tbz tgz wasm webp whl"
        for extension in f"{listed} woff woff2 xpi xz zip zst zz".split():
            self.assertEqual(content_encoding(f"public/a.{extension}"), "identity", extension)
        self.assertEqual(content_encoding(".xz"), "identity")

    def test_all_else_is_compressed(self) -> None:
        for name in ("a.log", "x", "public/data.json", "a.gz/b", "", "gz"):
            self.assertEqual(content_encoding(name), "gzip", name)

    def test_the_case_of_an_extension_matters_here(self) -> None:
        self.assertEqual(content_encoding("a.PNG"), "gzip")
