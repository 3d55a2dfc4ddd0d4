"""7z files in a folder."""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import py7zr
from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.child.faults import ArchiveFault
from tcworker.extract.child.place import Place
from tcworker.extract.child.quota import Quota
from tcworker.extract.child.seven_zip import unpack_7z
from tcworker.extract.order import ExtractionLimits
from tests.extract.archives import DATE
from tests.extract.child.test_tar import picture


class Counting(io.BytesIO):
    """A file that counts the bytes that are read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def unpack(data: bytes | io.BytesIO, place: Path, limits: ExtractionLimits | None = None) -> None:
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    quota = Quota(limits or ExtractionLimits(), lambda: len(file.getbuffer()))
    top = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0)
    try:
        unpack_7z(file, Place(top, quota))
    finally:
        os.umask(mask)
        os.close(top)


class SevenZipFiles(SynchronousTestCase):
    def setUp(self) -> None:
        self.source = Path(self.mktemp()) / "source"
        self.source.mkdir(parents=True)

    def place(self) -> Path:
        place = Path(self.mktemp()) / "out"
        place.mkdir(parents=True)
        return place

    def packed(self, *names: tuple[str, str], **options: Any) -> bytes:
        """Pack files of the source under other names."""
        file = io.BytesIO()
        with py7zr.SevenZipFile(file, "w", **options) as archive:
            archive.set_encoded_header_mode(False)
            for path, name in names:
                archive.write(self.source / path, name)
        return file.getvalue()

    def unpacked(self, data: bytes) -> Mapping[str, Any]:
        place = self.place()
        unpack(data, place)
        return picture(place)

    def file(self, name: str, content: bytes = b"", mode: int = 0o644) -> None:
        path = self.source / name
        path.write_bytes(content)
        path.chmod(mode)
        os.utime(path, (DATE, DATE))

    def assertRefused(self, why: str, data: bytes, limits: ExtractionLimits | None = None) -> None:
        place = self.place()
        fault = self.assertRaises(ArchiveFault, unpack, data, place, limits)
        self.assertRegex(str(fault), why)
        self.assertEqual(os.listdir(place.parent), ["out"])

    def test_files_folders_and_links(self) -> None:
        (self.source / "f").mkdir(0o750)
        self.file("f/a", b"a" * 300_000, 0o755)
        self.file("f/empty")
        (self.source / "f/l").symlink_to("a")
        made = self.unpacked(self.packed(("f", "f"), ("f/a", "f/a"), ("f/empty", "f/empty"), ("f/l", "f/l")))
        self.assertEqual(made["f"], ("folder", 0o750))
        self.assertEqual(made["f/a"], ("file", 0o755, DATE * 10**9, 1, b"a" * 300_000))
        self.assertEqual(made["f/empty"], ("file", 0o644, DATE * 10**9, 1, b""))
        self.assertEqual(made["f/l"], ("link", "a"))

    def test_each_way_of_compression(self) -> None:
        self.file("a", b"content" * 10_000)
        for way in ("LZMA2", "LZMA", "BZIP2", "DEFLATE", "ZSTD", "PPMD", "BROTLI", "COPY"):
            filters = [{"id": getattr(py7zr, f"FILTER_{way}")}]
            made = self.unpacked(self.packed(("a", "a"), filters=filters))
            self.assertEqual(made["a"][4], b"content" * 10_000, way)

    def test_names_in_any_letters(self) -> None:
        self.file("a")
        self.assertIn("Grüße/日本語", self.unpacked(self.packed(("a", "Grüße/日本語"))))

    def test_what_leaves_the_folder(self) -> None:
        self.file("a", b"1")
        data = self.packed(("a", "xx/a"))
        self.assertRefused(r"^\.\./a: its path has \.\. in it", _renamed(data, "xx/a", "../a"))
        self.assertRefused("^/x/a: its path is absolute", _renamed(data, "xx/a", "/x/a"))

    def test_links_that_lead_out(self) -> None:
        (self.source / "l").symlink_to("/etc")
        self.assertRefused("^l: .*leads out", self.packed(("l", "l")))

    def test_members_behind_links(self) -> None:
        (self.source / "l").symlink_to(".")
        self.file("a", b"1")
        self.assertRefused("l: the archive has a folder of the same name", self.packed(("l", "l"), ("a", "l/x")))

    def test_equal_names(self) -> None:
        self.file("a", b"1")
        self.assertRefused("^a: the archive has it twice", self.packed(("a", "a"), ("a", "./a")))

    def test_rights_of_owners(self) -> None:
        self.file("a", b"1", 0o4755)
        self.assertRefused("^a: it would run with", self.packed(("a", "a")))

    def test_what_is_encrypted(self) -> None:
        self.file("a", b"1")
        for header in (False, True):
            self.assertRefused("it is encrypted", self.packed(("a", "a"), password="x", header_encryption=header))

    def test_one_that_was_cut(self) -> None:
        self.file("a", b"1" * 1000)
        self.file("b", os.urandom(2000))
        data = self.packed(("a", "a"), ("b", "b"))
        for end in (*range(1, len(data) - 1, 101), len(data) - 1):
            self.assertRefused("damaged|not 7z", data[:end])

    def test_a_content_that_was_changed(self) -> None:
        self.file("a", b"content" * 10)
        data = self.packed(("a", "a"), filters=[{"id": py7zr.FILTER_COPY}])
        self.assertRefused("it is damaged", data.replace(b"content", b"contemt", 1))

    def test_what_is_no_7z(self) -> None:
        self.assertRefused("it is not 7z: it looks like zip", b"PK\x03\x04" + bytes(100))
        self.assertRefused("it is empty", b"")

    def test_a_bomb(self) -> None:
        self.file("a", bytes(2 << 20))
        self.assertRefused("^a: it takes more than 1 MB", self.packed(("a", "a")), ExtractionLimits(megabytes=1))

    def test_what_is_too_long_for_where_a_link_leads_is_not_read_to_its_end(self) -> None:
        self.file("a", random.Random(7).randbytes(8 << 20))
        data = self.packed(("a", "a"), filters=[{"id": py7zr.FILTER_COPY}])
        kinds = (struct.pack("<H", stat.S_IFREG | 0o644), struct.pack("<H", stat.S_IFLNK | 0o777))
        file = Counting(_changed(data, *kinds))
        fault = self.assertRaises(ArchiveFault, unpack, file, self.place())
        self.assertRegex(str(fault), "^a: it is a link to what cannot be a path")
        self.assertLess(file.count, len(data) // 2)

    def test_any_byte_may_be_another(self) -> None:
        self.file("a", b"1" * 600)
        (self.source / "l").symlink_to("a")
        data = self.packed(("a", "f/a"), ("l", "f/l"))
        for at in range(len(data)):
            place = self.place()
            try:
                unpack(data[:at] + bytes([data[at] ^ 0x2F]) + data[at + 1 :], place)
            except (ArchiveFault, OSError, MemoryError):
                self.assertEqual(os.listdir(place.parent), ["out"])


def _renamed(data: bytes, old: str, new: str) -> bytes:
    """Give an archive with another name in it."""
    return _changed(data, old.encode("utf-16-le"), new.encode("utf-16-le"))


def _changed(data: bytes, old: bytes, new: bytes) -> bytes:
    """Give an archive with something else in its header, which is checked by two sums."""
    at, size = struct.unpack_from("<QQ", data, 12)
    header = data[32 + at : 32 + at + size].replace(old, new)
    assert new in header, "the header is not packed"
    start = struct.pack("<QQL", at, size, zlib.crc32(header))
    return data[:8] + struct.pack("<L", zlib.crc32(start)) + start + data[32 : 32 + at] + header
