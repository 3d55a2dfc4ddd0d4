"""Zip files in a folder."""

from __future__ import annotations

import calendar
import io
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.child.faults import ArchiveFault
from tcworker.extract.child.place import Place
from tcworker.extract.child.quota import Quota
from tcworker.extract.child.zip_archive import unpack_zip
from tcworker.extract.order import ExtractionLimits
from tests.extract.child.test_tar import picture
from tests.hypotheses import given

DATE = (2024, 5, 6, 7, 8, 10)
SECONDS = calendar.timegm(DATE) * 10**9


def entry(name: str, mode: int = stat.S_IFREG | 0o644, system: int = 3) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, DATE)
    info.create_system, info.external_attr = system, mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def packed(*entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for info, content in entries:
            archive.writestr(info, content)
    return file.getvalue()


def unpack(data: bytes, place: Path, limits: ExtractionLimits | None = None) -> None:
    quota = Quota(limits or ExtractionLimits(), lambda: len(data))
    top = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0)
    try:
        unpack_zip(io.BytesIO(data), Place(top, quota))
    finally:
        os.umask(mask)
        os.close(top)


class ZipFiles(SynchronousTestCase):
    def place(self) -> Path:
        place = Path(self.mktemp()) / "out"
        place.mkdir(parents=True)
        return place

    def unpacked(self, data: bytes) -> Mapping[str, Any]:
        place = self.place()
        unpack(data, place)
        return picture(place)

    def assertRefused(self, why: str, data: bytes) -> None:
        place = self.place()
        fault = self.assertRaises(ArchiveFault, unpack, data, place)
        self.assertRegex(str(fault), why)
        self.assertEqual(os.listdir(place.parent), ["out"])

    def test_files_folders_and_links(self) -> None:
        data = packed(
            (entry("f/", stat.S_IFDIR | 0o750), b""),
            (entry("f/a", stat.S_IFREG | 0o755), b"a" * 300_000),
            (entry("f/l", stat.S_IFLNK | 0o777), b"a"),
            (entry("g/b"), b""),
        )
        made = self.unpacked(data)
        self.assertEqual(made["f"], ("folder", 0o750))
        self.assertEqual(made["f/a"], ("file", 0o755, SECONDS, 1, b"a" * 300_000))
        self.assertEqual(made["f/l"], ("link", "a"))
        self.assertEqual(made["g/b"], ("file", 0o644, SECONDS, 1, b""))

    def test_each_way_of_compression(self) -> None:
        for way in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            info = entry("a")
            info.compress_type = way
            self.assertEqual(self.unpacked(packed((info, b"content" * 1000)))["a"][4], b"content" * 1000)

    def test_without_modes_there_are_usual_ones(self) -> None:
        made = self.unpacked(packed((entry("a", 0, 0), b""), (entry("f/", 0, 0), b"")))
        self.assertEqual([made[name][1] for name in "af"], [0o644, 0o755])

    def test_names_of_other_systems(self) -> None:
        self.assertIn("f/a", self.unpacked(packed((entry("f\\a", 0, 0), b""))))
        self.assertIn("f\\a", self.unpacked(packed((entry("f\\a"), b""))))
        self.assertRefused("has .. in it", packed((entry("f\\..\\..\\a", 0, 0), b"")))

    def test_names_in_any_letters(self) -> None:
        self.assertIn("Grüße", self.unpacked(packed((entry("Grüße"), b""))))
        without_mark = packed((entry("name"), b"")).replace(b"name", "ßä".encode())
        self.assertIn("ßä", self.unpacked(without_mark))
        of_old = packed((entry("name"), b"")).replace(b"name", "\xe4bcd".encode("cp437"))
        self.assertIn("äbcd", self.unpacked(of_old))

    def test_dates_that_are_none(self) -> None:
        data = packed((entry("a"), b""))
        for date in (b"\0\0", b"\xff\xff"):
            at = data.index(b"PK\x01\x02") + 14
            self.assertIn("a", self.unpacked(data[:at] + date + data[at + 2 :]))

    def test_what_leaves_the_folder(self) -> None:
        self.assertRefused(r"^\.\./x: its path has \.\. in it", packed((entry("../x"), b"")))
        self.assertRefused("^/tmp/x: its path is absolute", packed((entry("/tmp/x"), b"")))
        self.assertRefused("^l: .*leads out", packed((entry("l", stat.S_IFLNK | 0o777), b"/etc")))
        self.assertRefused(
            "where a folder should be", packed((entry("l", stat.S_IFLNK | 0o777), b"."), (entry("l/x"), b""))
        )

    def test_what_is_no_file(self) -> None:
        for kind in (stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK):
            self.assertRefused("^x: it is a device, a pipe or a socket", packed((entry("x", kind | 0o644), b"")))

    def test_rights_of_owners(self) -> None:
        self.assertRefused("^su: it would run with", packed((entry("su", stat.S_IFREG | 0o4755), b"")))

    def test_what_is_encrypted(self) -> None:
        data = bytearray(packed((entry("a"), b"secret")))
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
        self.assertRefused("^a: it is encrypted", bytes(data))

    def test_ways_of_compression_that_nobody_reads(self) -> None:
        data = bytearray(packed((entry("a"), b"x")))
        data[8] = data[data.index(b"PK\x01\x02") + 10] = 93
        self.assertRefused("^a: it is compressed in a way that is not read here", bytes(data))

    def test_a_link_to_a_whole_book(self) -> None:
        self.assertRefused("^l: .*cannot be a path", packed((entry("l", stat.S_IFLNK | 0o777), b"x" * 5000)))

    def test_one_that_was_cut(self) -> None:
        data = packed((entry("a"), b"1" * 1000), (entry("b"), os.urandom(2000)))
        for end in (*range(1, len(data) - 1, 97), len(data) - 1):
            self.assertRefused("damaged|not zip", data[:end])

    def test_a_content_that_was_changed(self) -> None:
        info = entry("a")
        info.compress_type = zipfile.ZIP_STORED
        self.assertRefused("^a: it is damaged: Bad CRC", packed((info, b"content")).replace(b"content", b"contemt"))

    def test_what_is_no_zip(self) -> None:
        self.assertRefused("it is not zip: it looks like gz", b"\x1f\x8b" + bytes(100))
        self.assertRefused("it is empty", b"")

    def test_a_bomb(self) -> None:
        limits = ExtractionLimits(megabytes=1)
        fault = self.assertRaises(ArchiveFault, unpack, packed((entry("a"), bytes(2 << 20))), self.place(), limits)
        self.assertIn("a: it takes more than 1 MB", str(fault))

    @given(st.integers(0, 400), st.integers(0, 255))
    def test_any_byte_may_be_another(self, at: int, byte: int) -> None:
        data = packed((entry("a/b"), b"1" * 600), (entry("l", stat.S_IFLNK | 0o777), b"a"), (entry("c"), b"2"))
        place = self.place()
        try:
            unpack(data[:at] + bytes([byte]) + data[at + 1 :], place)
        except (ArchiveFault, OSError):
            self.assertEqual(os.listdir(place.parent), ["out"])
