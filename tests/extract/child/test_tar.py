"""Tars in a folder: what the standard library makes of them is the judge, and what must not be made is not."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.child.faults import ArchiveFault
from tcworker.extract.child.pieces import Pieces
from tcworker.extract.child.place import Place
from tcworker.extract.child.quota import Quota
from tcworker.extract.child.tar import Tar
from tcworker.extract.order import ExtractionLimits
from tests.extract.archives import DATE, Member, folder, hardlink, in_pieces, symlink, tar
from tests.hypotheses import given

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
LONG = "/".join(["a folder whose name is rather long, as some are"] * 8)
NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=40)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4).map("/".join)


def unpack(data: bytes, place: Path, piece: int = 10_000, limits: ExtractionLimits | None = None) -> Quota:
    quota = Quota(limits or ExtractionLimits(), lambda: len(data))
    top = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0)
    try:
        Tar(Pieces(in_pieces(data, piece)), Place(top, quota), quota).unpack()
    finally:
        os.umask(mask)
        os.close(top)
    return quota


def picture(place: Path) -> Mapping[str, Any]:
    """What is in a folder: of each path the kind, and what matters of it."""
    return {os.fsdecode(os.path.relpath(path, place)): _of(path) for path in place.rglob("*")}


def _of(path: Path) -> tuple[Any, ...]:
    entry = path.lstat()
    if stat.S_ISLNK(entry.st_mode):
        return ("link", os.readlink(path))
    if stat.S_ISDIR(entry.st_mode):
        return ("folder", stat.S_IMODE(entry.st_mode))
    return ("file", stat.S_IMODE(entry.st_mode), entry.st_mtime_ns, entry.st_nlink, path.read_bytes())


class InFolder(SynchronousTestCase):
    def place(self, name: str = "out") -> Path:
        place = Path(self.mktemp()) / name
        place.mkdir(parents=True)
        return place

    def unpacked(self, *members: Member, form: int = tarfile.GNU_FORMAT) -> Mapping[str, Any]:
        place = self.place()
        unpack(tar(*members, form=form), place)
        return picture(place)

    def assertRefused(self, why: str, *members: Member, form: int = tarfile.GNU_FORMAT) -> None:
        """Not taken, and nothing has come to be outside."""
        self.assertBadTar(why, tar(*members, form=form))

    def assertBadTar(self, why: str, data: bytes) -> None:
        place = self.place("around/out")
        fault = self.assertRaises(ArchiveFault, unpack, data, place)
        self.assertRegex(str(fault), why)
        self.assertEqual(os.listdir(place.parent), ["out"])


class LikeTheStandardLibrary(InFolder):
    def assertAlike(self, data: bytes, piece: int = 10_000) -> None:
        ours, theirs = self.place(), self.place()
        unpack(data, ours, piece)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extraction_filter = lambda member, path: member
            archive.extractall(theirs)
        self.assertEqual(picture(ours), picture(theirs))

    def test_files_folders_and_links(self) -> None:
        members = [
            folder("top/", 0o750),
            Member("top/empty"),
            Member("top/some", b"x" * 1000),
            Member("top/many", os.urandom(100_000), mode=0o711),
            Member("top/whole", b"y" * 1024),
            symlink("top/deep", "below/it"),
            symlink("up", "top/some"),
            hardlink("top/same", "top/some"),
            Member("not/mentioned/before", b"z"),
        ]
        for form in FORMATS:
            for piece in (100, 511, 512, 10_000, 1 << 20):
                self.assertAlike(tar(*members, form=form), piece)

    def test_long_names_and_targets(self) -> None:
        members = [Member(f"{LONG}/file", b"1"), symlink("link", f"{LONG}/file"), hardlink("same", f"{LONG}/file")]
        for form in FORMATS[1:]:
            self.assertAlike(tar(*members, form=form))
        self.assertAlike(tar(Member("/".join(["seventeen letters"] * 9) + "/file", b"1"), form=tarfile.USTAR_FORMAT))

    def test_names_in_any_letters(self) -> None:
        for form in FORMATS:
            self.assertAlike(tar(Member("Grüße/日本語", b"1"), Member(b"latin1-\xe9", b"2"), form=form))

    def test_times_with_fractions_before_1970_and_of_large_numbers(self) -> None:
        self.assertAlike(tar(Member("a", mtime=DATE + 0.25), Member("b", mtime=0.5), form=tarfile.PAX_FORMAT))
        self.assertAlike(tar(Member("a", mtime=2**33 - 1)))

    def test_headers_of_the_first_tars(self) -> None:
        old = Member("old", b"content").info
        plain = Member("folder/", mode=0o755).info
        blocks = [_checked(_v7(info.tobuf(tarfile.USTAR_FORMAT))) for info in (old, plain)]
        self.assertAlike(blocks[0] + b"content".ljust(512, b"\0") + blocks[1] + bytes(1024))

    def test_a_sum_of_signed_bytes(self) -> None:
        data = tar(Member(b"caf\xe9", b"1"))
        signed = sum(byte - 256 if byte > 127 else byte for byte in data[:148] + b" " * 8 + data[156:512])
        self.assertAlike(data[:148] + b"%06o\0 " % signed + data[156:])

    def test_the_last_of_equal_names_stays(self) -> None:
        self.assertAlike(tar(Member("a", b"first", mode=0o755), Member("b"), Member("a", b"second")))

    @given(
        st.dictionaries(PATHS, st.binary(max_size=2000), max_size=8), st.sampled_from(FORMATS[1:]), st.integers(1, 3000)
    )
    def test_any_names_and_contents(self, files: Mapping[str, bytes], form: int, piece: int) -> None:
        # A path of another that is a file is another test.
        paths = [path for path in files if not any(other.startswith(path + "/") for other in files)]
        self.assertAlike(tar(*(Member(path, files[path]) for path in paths), form=form), piece)


def _v7(block: bytes) -> bytes:
    return block[:156] + b"\0" + block[157:257] + bytes(255)


def _checked(block: bytes) -> bytes:
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


class ByItself(InFolder):
    def test_what_came_out_is_counted(self) -> None:
        quota = unpack(tar(folder("f"), Member("f/a", b"12345"), symlink("l", "f"), hardlink("h", "f/a")), self.place())
        self.assertEqual((quota.entries, quota.bytes), (4, 5))

    def test_folders_can_be_written_to_by_their_owner_whatever_their_author_thought(self) -> None:
        made = self.unpacked(folder("f", 0o555), Member("f/a", b"1"), folder("f", 0o500))
        self.assertEqual(made["f"], ("folder", 0o700))

    def test_folders_have_no_special_bits(self) -> None:
        self.assertEqual(self.unpacked(folder("f", 0o7755))["f"], ("folder", 0o755))

    def test_the_folder_itself_may_be_a_member(self) -> None:
        self.assertEqual(list(self.unpacked(folder("./"), Member("./a"), folder("."))), ["a"])

    def test_dots_and_slashes_in_names_mean_nothing(self) -> None:
        made = self.unpacked(Member("./a//./b", b"1"), hardlink("c", "./a/b"), hardlink("a/b", "a/./b"))
        self.assertEqual(set(made), {"a", "a/b", "c"})

    def test_a_link_to_a_link_is_one_that_leads_as_far(self) -> None:
        made = self.unpacked(Member("f/a"), symlink("f/l", "a"), hardlink("f/m", "f/l"))
        self.assertEqual(made["f/m"], ("link", "a"))
        self.assertRefused(
            "^m: it is a link to ../../x, which leads out",
            Member("f/g/a"),
            symlink("f/g/l", "../../x"),
            hardlink("m", "f/g/l"),
        )

    def test_labels_and_headers_for_all_are_passed_over(self) -> None:
        label = Member("a volume", kind=b"V")
        made = self.unpacked(label, Member("pax_global_header", b"20 comment=12345678\n", kind=b"g"), Member("a"))
        self.assertEqual(list(made), ["a"])

    def test_what_comes_with_a_folder_is_passed_over(self) -> None:
        self.assertEqual(list(self.unpacked(Member("f", b"x" * 700, kind=b"5"), Member("f/a"))), ["f", "f/a"])

    def test_a_name_with_a_hundred_bytes_has_no_end(self) -> None:
        self.assertEqual(list(self.unpacked(Member("x" * 100))), ["x" * 100])

    def test_more_folders_than_may_be_open(self) -> None:
        members = [Member(f"{number % 200}/{number}", b"%d" % number) for number in range(1000)]
        self.assertEqual(len(self.unpacked(*members)), 1200)

    def test_one_without_its_mark_of_the_end_is_whole_all_the_same(self) -> None:
        place = self.place()
        unpack(tar(Member("a", b"1"))[:1024], place)
        self.assertEqual(list(picture(place)), ["a"])


class Refused(InFolder):
    def test_absolute_paths(self) -> None:
        self.assertRefused("^/tmp/x: its path is absolute", Member("/tmp/x"))
        self.assertRefused("^/x: its path is absolute", Member("a"), Member("/x"))
        self.assertRefused("absolute", folder("/tmp/x"))

    def test_paths_that_leave_the_folder(self) -> None:
        for name in ("../x", "a/../../x", "a/..", "..", "a/../b"):
            self.assertRefused(r"its path has \.\. in it", Member("a/c"), Member(name))
            self.assertRefused(r"its path has \.\. in it", folder(name))
            self.assertRefused("which is nothing of this archive", hardlink("link", name))

    def test_paths_that_leave_the_folder_in_long_names(self) -> None:
        for form in FORMATS[1:]:
            self.assertRefused("has .. in it", Member(f"{LONG}/../x"), form=form)

    def test_links_that_lead_out(self) -> None:
        for name, target in (
            ("l", "/etc/passwd"),
            ("l", ".."),
            ("l", "../x"),
            ("f/l", "../../x"),
            ("f/l", "g/../../../x"),
            ("f/l", "x/.."),
            ("l", "./../x"),
        ):
            self.assertRefused(f"^{name}: it is a link to .*, which leads out", symlink(name, target))

    def test_links_within(self) -> None:
        for name, target in (("l", "."), ("f/l", "../x"), ("f/g/l", "../../x"), ("f/l", ".."), ("l", "a/b")):
            self.assertEqual(self.unpacked(symlink(name, target))[name], ("link", target))

    def test_two_links_that_lead_out_together(self) -> None:
        self.assertRefused("leads out", folder("a"), symlink("a/up", ".."), symlink("out", "a/up/../x"))

    def test_members_behind_links(self) -> None:
        for later in (Member("l/x", b"1"), folder("l/x"), symlink("l/x", "a"), folder("l")):
            self.assertRefused("a file or a link l where a folder should be", folder("f"), symlink("l", "f"), later)
        self.assertRefused("where a folder should be", Member("f/a"), symlink("l", "f"), hardlink("x", "l/a"))

    def test_members_below_files(self) -> None:
        self.assertRefused("a file or a link a where a folder should be", Member("a"), Member("a/b"))
        self.assertRefused("a file or a link a where a folder should be", Member("a"), folder("a"))

    def test_a_file_in_the_place_of_a_folder(self) -> None:
        for later in (Member("f"), symlink("f", "a"), hardlink("f", "a")):
            self.assertRefused("has a folder of the same name", Member("a"), folder("f"), later)

    def test_a_file_in_the_place_of_a_link_leaves_what_that_leads_to_alone(self) -> None:
        made = self.unpacked(
            Member("a", b"old"), symlink("l", "a"), hardlink("h", "a"), Member("l", b"new"), Member("h")
        )
        self.assertEqual([made[name][4] for name in "alh"], [b"old", b"new", b""])

    def test_links_to_what_is_not_there_or_no_file(self) -> None:
        self.assertRefused("^h: it is a link to b, which is nothing of this archive", Member("a"), hardlink("h", "b"))
        self.assertRefused("^h: it is a link to /etc/passwd, which is nothing", hardlink("h", "/etc/passwd"))
        self.assertRefused("^h: it is a link to f, which is no file", folder("f"), hardlink("h", "f"))

    def test_devices_and_pipes(self) -> None:
        for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            self.assertRefused("^null: it is a device", Member("null", kind=kind))
        self.assertRefused("^pipe: it is a named pipe", Member("pipe", kind=tarfile.FIFOTYPE))

    def test_kinds_that_nobody_knows(self) -> None:
        self.assertRefused("^a: nobody knows what kind", Member("a", kind=b"Z"))
        self.assertRefused("^a: it is the rest of a file", Member("a", kind=b"M"))

    def test_rights_of_owners(self) -> None:
        for mode in (0o4755, 0o2755, 0o6755):
            self.assertRefused("^su: it would run with the rights of its owner", Member("su", mode=mode))

    def test_sparse_files(self) -> None:
        self.assertRefused("^a: it is a sparse file", Member("a", kind=tarfile.GNUTYPE_SPARSE))
        info = Member("a").info
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        self.assertBadTar("^a: it is a sparse file", info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))

    def test_names_that_the_system_does_not_take(self) -> None:
        place = self.place()
        error = self.assertRaises(OSError, unpack, tar(Member("x" * 300)), place)
        self.assertEqual(error.filename, b"x" * 300)
        self.assertRefused("longer than 4096", Member("x/" * 3000))

    def test_names_with_a_nul(self) -> None:
        info = Member("a").info
        info.pax_headers = {"path": "b\0c"}
        self.assertBadTar("has a NUL", info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))

    def test_names_harm_no_log(self) -> None:
        self.assertRefused(r"^/\\x1b\[31m\\n\\u202e: its", Member("/\x1b[31m\n\u202e"))
        self.assertRefused("^/xx*…: its", Member("/" + "x" * 3000))

    def test_extended_headers_that_are_too_long(self) -> None:
        self.assertRefused("longer than", Member("a", bytes(2 << 20), kind=b"x"), Member("b"))


class Damaged(InFolder):
    def test_one_that_ends_in_the_midst_of_something(self) -> None:
        data = tar(Member("a", b"1" * 600), Member(f"{LONG}/b", b"2"), Member("c"))
        end = data.rindex(b"c\0") + 512
        for at in range(1, end, 37):
            if at not in (1536,):
                self.assertBadTar("too early", data[:at])

    def test_an_empty_one(self) -> None:
        self.assertBadTar("empty", b"")

    def test_what_is_no_tar(self) -> None:
        self.assertBadTar("it is not tar: it begins with <html>", b"<html>".ljust(600))
        self.assertBadTar("it is not tar: it looks like gz", b"\x1f\x8b".ljust(600))

    def test_a_header_that_was_changed(self) -> None:
        data = tar(Member("a", b"1"), Member("b", b"2"))
        for at in (0, 100, 150, 511):
            broken = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            self.assertRaises(ArchiveFault, unpack, broken, self.place())
        self.assertBadTar("no header where one belongs", data[:1024] + b"x" + data[1025:])

    def test_numbers_that_are_none(self) -> None:
        data = tar(Member("a", b"1"))
        self.assertBadTar("^a: .*no number", _checked(data[:124] + b"what is it?\0" + data[136:512]) + data[512:])
        self.assertBadTar("^a: .*less than nothing", _checked(data[:124] + b"\xff" * 12 + data[136:512]) + data[512:])

    def test_extended_headers_that_make_no_sense(self) -> None:
        for records in (b"hello", b"12 path\n", b"99 path=a\n", b"0 path=a\n", b"11 path=abcdef\n", b"-1 a=b\n"):
            self.assertRefused("extended header of it is damaged", Member("x", records, kind=b"x"), Member("a"))
        for records in (b"10 size=x\n", b"11 size=-1\n", b"11 mtime=x\n", b"13 mtime=1.x\n"):
            self.assertRefused("^a: ", Member("x", records, kind=b"x"), Member("a"))

    def test_what_follows_the_end(self) -> None:
        self.assertBadTar("something follows the end", tar(Member("a")) + tar(Member("b")))

    @given(st.binary(max_size=3000))
    def test_anything_else(self, data: bytes) -> None:
        if data.strip(b"\0"):
            self.assertRaises(ArchiveFault, unpack, data, self.place())

    @given(st.integers(0, 3000), st.integers(0, 255))
    def test_any_byte_may_be_another(self, at: int, byte: int) -> None:
        data = tar(Member("a/b", b"1" * 600), symlink("l", "a"), hardlink("h", "a/b"), Member("pax" * 40, b"2"))
        place = self.place("around/out")
        with contextlib.suppress(ArchiveFault, OSError):
            unpack(data[:at] + bytes([byte]) + data[at + 1 :], place)
        self.assertEqual(os.listdir(place.parent), ["out"])


class Limits(InFolder):
    def assertTooMuch(self, limits: ExtractionLimits, *members: Member) -> None:
        fault = self.assertRaises(ArchiveFault, unpack, tar(*members), self.place(), 10_000, limits)
        self.assertIn("takes more than 1 MB", str(fault))

    def test_one_large_file(self) -> None:
        self.assertTooMuch(ExtractionLimits(megabytes=1), Member("a", bytes(2 << 20)))

    def test_many_empty_ones_of_any_kind(self) -> None:
        limits = ExtractionLimits(megabytes=1)
        self.assertTooMuch(limits, *(Member(f"{number}") for number in range(300)))
        self.assertTooMuch(limits, *(folder(f"{number}") for number in range(300)))
        self.assertTooMuch(limits, *(symlink(f"{number}", "x") for number in range(300)))
        self.assertTooMuch(limits, Member("x"), *(hardlink(f"{number}", "x") for number in range(300)))

    def test_deep_folders(self) -> None:
        self.assertTooMuch(ExtractionLimits(megabytes=1), *(Member(f"{number}/" + "x/" * 90) for number in range(3)))

    def test_what_comes_after_the_end(self) -> None:
        limits = ExtractionLimits(megabytes=1)
        self.assertRaises(ArchiveFault, unpack, tar(Member("a")) + bytes(2 << 20), self.place(), 10_000, limits)

    def test_what_is_passed_over(self) -> None:
        self.assertTooMuch(ExtractionLimits(megabytes=1), Member("f", bytes(2 << 20), kind=b"5"))
