"""All formats of compression: what is whole comes out, and nothing else is taken."""

from __future__ import annotations

import random
import struct

from backports import zstd
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.child.decompression import decompressed
from tcworker.extract.child.faults import ArchiveFault
from tcworker.extract.child.steppers import codec
from tcworker.extract.formats import FILE_FORMATS
from tests.extract.archives import COMPRESS, CONCATENATED, in_pieces, lzip
from tests.hypotheses import given

TEXT = b"".join(b"line %d of what is packed\n" % number for number in range(10_000))
NOISE = random.Random(8).randbytes(150_000)


def unpacked(form: str, packed: bytes, piece: int = 50_000, memory: int = 1024) -> bytes:
    pieces = iter(in_pieces(packed, piece))
    return b"".join(decompressed(form, codec(form, memory), lambda: next(pieces, b"")))


class Whole(SynchronousTestCase):
    def test_each_format_gives_what_was_packed(self) -> None:
        self.assertEqual(set(COMPRESS), FILE_FORMATS)
        for form, compress in COMPRESS.items():
            for data in (TEXT, NOISE, b"x", TEXT + NOISE + TEXT):
                self.assertEqual(unpacked(form, compress(data)), data, form)

    def test_of_what_is_empty_nothing_comes_out(self) -> None:
        for form in FILE_FORMATS - {"sz"}:
            self.assertEqual(unpacked(form, COMPRESS[form](b"")), b"", form)

    def test_a_byte_at_a_time_does(self) -> None:
        for form, compress in COMPRESS.items():
            self.assertEqual(unpacked(form, compress(TEXT[:3000]), 1), TEXT[:3000], form)

    @given(st.binary(max_size=3000), st.integers(1, 100), st.sampled_from(sorted(FILE_FORMATS - {"sz"})))
    def test_any_pieces_do(self, data: bytes, piece: int, form: str) -> None:
        self.assertEqual(unpacked(form, COMPRESS[form](data), piece), data)

    def test_what_parallel_programs_write_is_one_file(self) -> None:
        for form in CONCATENATED:
            packed = COMPRESS[form](TEXT) + COMPRESS[form](NOISE) + COMPRESS[form](b"end")
            self.assertEqual(unpacked(form, packed), TEXT + NOISE + b"end", form)
            self.assertEqual(unpacked(form, packed, 1000), TEXT + NOISE + b"end", form)

    def test_zeros_at_the_end_do_no_harm(self) -> None:
        for form in CONCATENATED:
            self.assertEqual(unpacked(form, COMPRESS[form](TEXT) + bytes(70_000)), TEXT, form)

    def test_pieces_stay_small_however_much_comes_out(self) -> None:
        zeros = bytes(20 << 20)
        for form, compress in COMPRESS.items():
            pieces = iter(in_pieces(compress(zeros), 1 << 17))
            largest = max(map(len, decompressed(form, codec(form, 1024), lambda p=pieces: next(p, b""))))
            self.assertLess(largest, 4 << 20, form)

    def test_frames_to_be_skipped_are(self) -> None:
        skipped = struct.pack("<LL", 0x184D2A50, 5) + b"notes"
        for form in ("zst", "lz4"):
            self.assertEqual(unpacked(form, skipped + COMPRESS[form](TEXT)), TEXT, form)


class Broken(SynchronousTestCase):
    def assertRefused(self, form: str, packed: bytes, why: str = ".", memory: int = 1024) -> None:
        try:
            unpacked(form, packed, memory=memory)
        except ArchiveFault as fault:
            self.assertRegex(str(fault), why, form)
        else:
            self.fail(f"{form} was taken")

    def test_one_that_was_cut_is_not_taken(self) -> None:
        for form, compress in COMPRESS.items():
            packed = compress(TEXT[:3000])
            for end in {*range(12, len(packed), max(1, len(packed) // 50)), len(packed) - 1}:
                self.assertRefused(form, packed[:end], "too early")

    def test_one_that_was_cut_in_its_first_bytes_is_not_taken(self) -> None:
        for form, compress in COMPRESS.items():
            packed = compress(TEXT[:3000])
            for end in range(1, 12):
                self.assertRefused(form, packed[:end])

    def test_an_empty_file_is_not_taken(self) -> None:
        for form in FILE_FORMATS:
            self.assertRefused(form, b"", "empty")

    def test_one_with_a_checksum_is_not_taken_when_a_bit_is_another(self) -> None:
        for form in FILE_FORMATS - {"br"}:
            packed = COMPRESS[form](NOISE)
            # What pads the last byte of bz2 may be anything.
            for at in (len(packed) // 2, len(packed) - 2):
                broken = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
                self.assertRefused(form, broken)

    def test_what_follows_is_not_passed_over(self) -> None:
        for form in FILE_FORMATS - {"sz"}:
            packed = COMPRESS[form](TEXT[:3000])
            for more in (b"what is this?", b"x", NOISE):
                self.assertRefused(form, packed + more, "follows its end|damaged")

    def test_another_format_is_said_to_be_that(self) -> None:
        packed = {form: compress(TEXT[:3000]) for form, compress in COMPRESS.items()}
        for form in FILE_FORMATS - {"br"}:
            for other in FILE_FORMATS - {"br", "zz", form}:
                self.assertRefused(form, packed[other], f"it is not {form}: it looks like {other}")

    def test_of_something_else_the_beginning_is_shown(self) -> None:
        self.assertRefused("gz", b"<!doctype html>", "it is not gz: it begins with <!doctype ")
        self.assertRefused("zst", b"\x1b[31m\0\n  secret", r"it begins with \\x1b\[31m\\x00\\n")

    def test_a_library_is_not_made_to_ask_for_more_memory_than_there_is(self) -> None:
        wide = {zstd.CompressionParameter.window_log: 24}
        self.assertRefused("zst", zstd.compress(bytes(20 << 20), options=wide), "too much memory: pack it", memory=16)
        self.assertRefused("xz", COMPRESS["xz"](TEXT), "too much memory: pack it", memory=1)

    def test_a_window_is_no_wider_than_zstd_itself_would_take(self) -> None:
        for log, taken in ((27, True), (28, False)):
            packed = zstd.compress(bytes((1 << log) + 1), options={zstd.CompressionParameter.window_log: log})
            if taken:
                self.assertEqual(len(unpacked("zst", packed)), (1 << log) + 1)
            else:
                self.assertRefused("zst", packed, "too much memory")


class Lzip(SynchronousTestCase):
    def assertDamaged(self, packed: bytes) -> None:
        self.assertIn("damaged", str(self.assertRaises(ArchiveFault, unpacked, "lz", packed)))

    def test_another_version_is_not_read(self) -> None:
        self.assertDamaged(b"LZIP\0" + lzip(TEXT)[5:])

    def test_its_dictionary_is_no_larger_than_it_may_be(self) -> None:
        self.assertDamaged(b"LZIP\x01\x1f" + lzip(TEXT)[6:])

    def test_its_three_sums_are_checked(self) -> None:
        packed = lzip(TEXT)
        for at in (-20, -16, -8):
            broken = bytearray(packed)
            broken[at] ^= 1
            self.assertDamaged(bytes(broken))
