"""Types and encodings by name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.content import content_encoding, content_type


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
            "tcworker-1.0-py3-none-any.whl": "application/octet-stream",
        }.items():
            self.assertEqual(content_type(name), expected, name)


class Encodings(SynchronousTestCase):
    """Content encodings."""

    def test_what_is_compressed_already_stays_as_it_is(self) -> None:
        for name in ("a.tar.gz", "x.zip", "public/p.png", "p.whl", ".xz"):
            self.assertEqual(content_encoding(name), "identity", name)

    def test_all_else_is_compressed(self) -> None:
        for name in ("a.log", "x", "public/data.json", "a.gz/b", "", "gz"):
            self.assertEqual(content_encoding(name), "gzip", name)

    def test_the_case_of_an_extension_matters_here(self) -> None:
        self.assertEqual(content_encoding("a.PNG"), "gzip")
