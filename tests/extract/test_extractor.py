"""Archives that arrive, and real children that unpack them."""

from __future__ import annotations

import os
import random
import signal
import stat
import zipfile
from io import BytesIO
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tcworker.errors import InternalError, MalformedPayload, ResourceUnavailable, TaskFailed
from tcworker.extract import extractor as extractors
from tcworker.extract.extractor import NOBODY, Extracted, Extraction, ExtractionLimits, Extractor, Extractors, Owner
from tcworker.extract.memory import needed
from tcworker.extract.unpacker import ADVICE
from tcworker.interfaces import ISink
from tcworker.removal import remove
from tests.extract.archives import COMPRESS, Member, folder, in_pieces, symlink, tar
from tests.storm.disk import SmallDisk
from tests.surroundings import only_root, open_folder, until

NOISE = random.Random(8).randbytes(1 << 20)
OWNER = Owner(2**31 + 77, 2**31 + 78)


def _children() -> list[int]:
    """Those of this process."""
    return [int(pid) for pid in Path("/proc/self/task", str(os.getpid()), "children").read_text().split()]


def _read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def _status(pid: int) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in _read(pid, "status").splitlines())


class Unpacking(TestCase):
    timeout = 60

    def setUp(self) -> None:
        # A server that other tests share, for instance.
        self.others = _children()
        self.owner = OWNER if os.geteuid() == 0 else None
        self.folder = Path(open_folder(self), "out")
        self.make_folder(self.folder)
        self.extractor = self.extractor_with()

    def children(self) -> list[int]:
        """The processes that a test has started and that have not ended."""
        return [pid for pid in _children() if pid not in self.others]

    def make_folder(self, path: Path) -> None:
        path.mkdir(0o700)
        if self.owner is not None:
            os.chown(path, *self.owner)

    def extractor_with(self, **limits: float) -> Extractor:
        return Extractors(reactor, ExtractionLimits(**limits)).for_run()  # type: ignore[arg-type]  # of ints one is a float

    def extraction(self, form: str, extractor: Extractor | None = None) -> Extraction:
        extraction = (extractor or self.extractor).into_folder(form, str(self.folder), self.owner)
        self.addCleanup(extraction.abandon)
        return extraction

    async def unpack(self, form: str, data: bytes, extractor: Extractor | None = None) -> Extracted:
        extraction = self.extraction(form, extractor)
        await self.feed(extraction, data)
        await extraction.finish()
        return extraction.extracted

    async def feed(self, extraction: Extraction, data: bytes) -> None:
        await extraction.begin(len(data))
        for piece in in_pieces(data, 300_000):
            await extraction.write(piece)

    async def assertFails(self, why: str, form: str, data: bytes, extractor: Extractor | None = None) -> None:
        error = await self.assertFailure(Deferred.fromCoroutine(self.unpack(form, data, extractor)), TaskFailed)
        self.assertRegex(str(error), why or ".")

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


class Formats(Unpacking):
    async def test_it_is_a_sink(self) -> None:
        verifyObject(ISink, self.extraction("tar"))

    async def test_each_compressed_tar(self) -> None:
        data = tar(folder("f"), Member("f/a", NOISE), symlink("f/l", "a"))
        for form in ("", *COMPRESS):
            self.folder = self.folder.with_name(f"out-{form}")
            self.make_folder(self.folder)
            packed = COMPRESS[form](data) if form else data
            came = await self.unpack(f"tar.{form}" if form else "tar", packed)
            self.assertEqual(came, (3, len(NOISE)), form)
            self.assertEqual(self.read("f/a"), NOISE, form)

    async def test_a_zip(self) -> None:
        file = BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("f/ä", NOISE)
        self.assertEqual(await self.unpack("zip", file.getvalue()), (2, len(NOISE)))
        self.assertEqual(self.read("f/ä"), NOISE)
        self.assertEqual(os.listdir(self.folder), ["f"])

    async def test_a_7z(self) -> None:
        import py7zr

        file = BytesIO()
        with py7zr.SevenZipFile(file, "w") as archive:
            archive.writestr(NOISE, "f/a")
        self.assertEqual(await self.unpack("7z", file.getvalue()), (2, len(NOISE)))
        self.assertEqual(self.read("f/a"), NOISE)

    def test_what_cannot_be_read_is_said_with_the_name_of_the_format(self) -> None:
        for form in ("rar", "tar.mz"):
            error = self.assertRaises(MalformedPayload, self.extraction, form)
            self.assertRegex(str(error), f"cannot read the format {form}: use .*; it reads 7z, tar, tar.br,")

    async def test_one_byte_at_a_time(self) -> None:
        extraction = self.extraction("tar.gz")
        await extraction.begin(None)
        for byte in COMPRESS["gz"](tar(Member("a", b"some content"))):
            await extraction.write(bytes([byte]))
        await extraction.finish()
        self.assertEqual(self.read("a"), b"some content")


class Whose(Unpacking):
    async def test_all_of_it_is_its_owners(self) -> None:
        only_root()
        await self.unpack("tar", tar(folder("f"), Member("f/a", mode=0o640), symlink("l", "f"), Member("g/b")))
        for path in self.folder.rglob("*"):
            entry = path.lstat()
            self.assertEqual((entry.st_uid, entry.st_gid), OWNER, path)
        self.assertEqual(stat.S_IMODE((self.folder / "f/a").stat().st_mode), 0o640)

    async def test_the_child_has_no_rights_before_it_reads(self) -> None:
        only_root()
        await self.extraction("tar.zst").begin(None)
        (pid,) = self.children()
        await until(lambda: _status(pid)["NoNewPrivs"] == "1")
        status = _status(pid)
        self.assertEqual(status["Uid"].split(), [str(OWNER.uid)] * 4)
        self.assertEqual(status["Gid"].split(), [str(OWNER.gid)] * 4)
        self.assertEqual((status["Groups"].split(), status["CapEff"], status["CapPrm"]), ([], "0" * 16, "0" * 16))
        self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/net"), os.readlink("/proc/self/ns/net"))

    async def test_the_child_has_limits(self) -> None:
        await self.extraction("tar.zst").begin(None)
        (pid,) = self.children()
        await until(lambda: "Max processes             0 " in _read(pid, "limits"))
        # Of the processor's time it is told before it is killed.
        for limit in (
            "cpu time              3601                 3606",
            "core file size        0",
            f"address space         {384 << 20}",
        ):
            self.assertIn(f"Max {limit} ", _read(pid, "limits"))

    async def test_the_child_waits_for_nobody_once_it_reads(self) -> None:
        await self.extraction("tar.zst").begin(None)
        (pid,) = self.children()
        await until(lambda: _status(pid)["NoNewPrivs"] == "1")
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), os.getpriority(os.PRIO_PROCESS, 0))

    async def test_the_child_knows_nothing_of_the_workers_environment(self) -> None:
        await self.extraction("tar.zst").begin(None)
        self.assertEqual(_read(self.children()[0], "environ"), "")

    async def test_what_belongs_to_others_stays_out_of_its_reach(self) -> None:
        only_root()
        outside = self.folder.parent / "outside"
        outside.write_text("mine")
        os.chmod(self.folder, 0o755)
        os.chown(self.folder, 0, 0)
        await self.assertFails("a: it cannot be made: Permission denied", "tar", tar(Member("a", b"1")))
        self.assertEqual(outside.read_text(), "mine")


class Faults(Unpacking):
    async def test_a_member_that_is_refused(self) -> None:
        for form, packed in (("tar", bytes), ("tar.gz", COMPRESS["gz"])):
            data = packed(tar(Member("../a")))
            await self.assertFails(rf"^cannot unpack this {form}: \.\./a: its path has \.\. in it\n", form, data)

    async def test_one_that_was_cut(self) -> None:
        data = COMPRESS["zst"](tar(Member("a", NOISE)))
        await self.assertFails("^cannot unpack this tar.zst: a: it ends too early", "tar.zst", data[:-100])

    async def test_what_is_something_else(self) -> None:
        await self.assertFails("it is not zst: it begins with <!doctype", "tar.zst", b"<!doctype html>" * 100)
        for form in ("tar", "tar.br", "zip", "7z"):
            await self.assertFails(f"^cannot unpack this {form}: it is (not|damaged)", form, b"<!doctype html>" * 100)

    async def test_it_is_told_while_more_would_come(self) -> None:
        extraction = self.extraction("tar.gz")
        await extraction.begin(None)
        await extraction.write(b"<!doctype html>")

        async def write_on() -> None:
            while True:
                await extraction.write(bytes(1 << 20))

        error = await self.assertFailure(Deferred.fromCoroutine(write_on()), TaskFailed)
        self.assertIn("it is not gz", str(error))

    async def test_a_bomb(self) -> None:
        extractor = self.extractor_with(megabytes=10)
        data = COMPRESS["gz"](tar(Member("a", bytes(20 << 20))))
        await self.assertFails("a: it takes more than 10 MB", "tar.gz", data, extractor)
        self.assertLessEqual((self.folder / "a").stat().st_size, 10 << 20)

    async def test_one_that_is_packed_too_tightly(self) -> None:
        bomb = await self.bomb()
        await self.assertFails(
            "a: more than 500 times as much came out of it", "tar.zst", bomb, self.extractor_with(ratio=500)
        )

    async def bomb(self) -> bytes:
        """A tar.zst of a file of 2 GB, without writing the whole to a disk here."""
        header = Member("a").info
        header.size = 2 << 30
        zeros = COMPRESS["zst"](bytes(64 << 20))
        return COMPRESS["zst"](header.tobuf()) + zeros * 32 + COMPRESS["zst"](bytes(1024))

    async def test_no_room_on_the_disk(self) -> None:
        only_root()
        disk = await SmallDisk.mount(self, str(self.folder.parent / "small"), 3)
        self.folder = Path(disk.seen, "out")
        self.make_folder(self.folder)
        for form, data in (("tar", tar(Member("f/a", NOISE * 5))), ("zip", NOISE * 5)):
            unpacking = Deferred.fromCoroutine(self.unpack(form, data))
            error = await self.assertFailure(unpacking, ResourceUnavailable)
            self.assertRegex(str(error), f"^cannot unpack this {form}: no room for ")
            self.assertEqual(error.cause, "no-disk")
            self.assertEqual(error.evidence["path"], str(self.folder))
            # As little as there was before.
            remove(str(self.folder))
            self.make_folder(self.folder)

    async def test_too_much_memory(self) -> None:
        import lzma

        packed = lzma.compress(tar(Member("a", NOISE)), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 512 << 20}])
        for extractor in (self.extractor, self.extractor_with(memory=300)):
            await self.assertFails("[Mm]emory", "tar.xz", packed, extractor)

    async def test_too_much_time(self) -> None:
        clock = Clock()
        extraction = self.extraction("tar")
        await extraction.begin(None)
        # The child waits for more, and no more comes.
        extraction._child._clock = clock
        extraction._feed.close = lambda: None
        finishing = extraction.finish()
        clock.advance(3600)
        error = await self.assertFailure(finishing, TaskFailed)
        self.assertEqual(str(error), "cannot unpack this tar: that takes longer than 3600 s")

    async def test_a_child_that_takes_too_much_of_the_processor(self) -> None:
        bomb = await self.bomb()
        await self.assertFails("takes longer than 0 s", "tar.zst", bomb * 10, self.extractor_with(seconds=0))

    async def test_a_child_that_is_killed(self) -> None:
        extraction = self.extraction("tar")
        await extraction.begin(None)
        os.kill(self.children()[0], signal.SIGKILL)
        error = await self.assertFailure(extraction.finish(), ResourceUnavailable)
        self.assertIn("was killed, perhaps for want of memory", str(error))

    async def test_a_child_that_breaks(self) -> None:
        extraction = self.extraction("tar")
        await extraction.begin(None)
        os.kill(self.children()[0], signal.SIGSEGV)
        error = await self.assertFailure(extraction.finish(), TaskFailed)
        self.assertIn("made the program for it end with 11", str(error))

    async def test_without_python_it_is_the_workers_fault(self) -> None:
        self.patch(__import__("sys"), "executable", "/not/there")
        await self.assertFailure(Deferred.fromCoroutine(self.unpack("tar", b"")), InternalError)


class Beginnings(Unpacking):
    async def test_what_begins_anew_finds_an_empty_folder(self) -> None:
        extraction = self.extraction("tar")
        await self.feed(extraction, tar(folder("f", 0o500), Member("f/g/a", NOISE), Member("b", NOISE))[: 1 << 20])
        await until(lambda: (self.folder / "f/g/a").exists())
        await self.feed(extraction, tar(Member("c", b"1")))
        await extraction.finish()
        self.assertEqual(os.listdir(self.folder), ["c"])
        self.assertEqual(extraction.extracted, (1, 1))

    async def test_when_it_is_abandoned_nothing_runs(self) -> None:
        extraction = self.extraction("tar.zst")
        await self.feed(extraction, COMPRESS["zst"](tar(Member("a", NOISE)))[:-10])
        self.assertEqual(len(self.children()), 1)
        await extraction.abandon()
        self.assertEqual(self.children(), [])
        await extraction.abandon()

    async def test_before_it_begins_it_can_be_abandoned(self) -> None:
        await self.extraction("tar").abandon()

    async def test_after_its_end_it_can_be_abandoned(self) -> None:
        extraction = self.extraction("tar")
        await self.feed(extraction, tar(Member("a")))
        await extraction.finish()
        await extraction.abandon()
        self.assertEqual(os.listdir(self.folder), ["a"])

    async def test_when_its_end_is_cancelled_it_can_be_abandoned(self) -> None:
        extraction = self.extraction("tar")
        await self.feed(extraction, tar(Member("a", NOISE)))
        finishing = extraction.finish()
        finishing.cancel()
        await self.assertFailure(finishing, CancelledError)
        await extraction.abandon()
        self.assertEqual(self.children(), [])

    async def test_no_descriptor_stays_open(self) -> None:
        await self.unpack("tar", tar(Member("a")))
        before = len(os.listdir("/proc/self/fd"))
        await self.unpack("tar", tar(Member("b")))
        await self.assertFails("", "tar", b"<html>" * 1000)
        extraction = self.extraction("tar")
        await extraction.begin(None)
        await extraction.abandon()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class AtOneTime(Unpacking):
    """As many as there is memory for: here one."""

    def setUp(self) -> None:
        self.patch(extractors, "for_unpacking", lambda: needed("tar"))
        super().setUp()

    async def test_the_next_begins_when_one_is_over(self) -> None:
        for end in (Extraction.finish, Extraction.abandon):
            first, second, third = (self.extraction("tar") for _ in range(3))
            await self.feed(first, tar(Member("a")))
            waiting, gone = second.begin(None), third.begin(None)
            self.assertNoResult(waiting)
            gone.cancel()
            await self.assertFailure(gone, CancelledError)
            await end(first)
            await waiting
            await second.abandon()
            await self.unpack("tar", tar(Member("b")))

    async def test_one_that_is_prepared_has_its_memory_already(self) -> None:
        first, second = self.extraction("tar"), self.extraction("tar")
        await first.prepare()
        waiting = second.prepare()
        self.assertNoResult(waiting)
        await self.feed(first, tar(Member("a")))
        await first.finish()
        await waiting

    async def test_a_file_waits_as_well(self) -> None:
        first = self.extraction("tar")
        await first.prepare()
        decompressing = self.extractor.decompress("gz", 0, 1)
        self.assertNoResult(decompressing)
        decompressing.cancel()
        await self.assertFailure(decompressing, CancelledError)
        await first.abandon()
        await self.unpack("tar", tar(Member("a")))

    async def test_one_that_begins_anew_keeps_no_other_place(self) -> None:
        extraction = self.extraction("tar")
        await extraction.begin(None)
        await extraction.begin(None)
        await extraction.abandon()
        await self.unpack("tar", tar(Member("b")))


class Loading(Unpacking):
    """As many at one time as there are processors: here one."""

    def setUp(self) -> None:
        self.patch(extractors, "processors", lambda: 1)
        super().setUp()

    async def test_the_next_begins_when_one_has_its_program(self) -> None:
        first, second, third, gone = (self.extraction("tar") for _ in range(4))
        await first.begin(None)
        waiting, cancelled, last = second.begin(None), gone.begin(None), third.begin(None)
        self.assertEqual(len(self.children()), 1)
        cancelled.cancel()
        await self.assertFailure(cancelled, CancelledError)
        await waiting
        await last
        self.assertEqual(len(self.children()), 3)
        for extraction in (first, second, third):
            await extraction.abandon()

    async def test_the_next_begins_when_one_was_killed(self) -> None:
        first, second = self.extraction("tar"), self.extraction("tar")
        await first.begin(None)
        os.kill(self.children()[0], signal.SIGSTOP)
        waiting = second.begin(None)
        self.assertNoResult(waiting)
        await first.abandon()
        await waiting
        await second.abandon()


class BackPressure(Unpacking):
    async def test_who_writes_waits_until_there_is_room(self) -> None:
        extraction = self.extraction("tar")
        await extraction.begin(None)
        (pid,) = self.children()
        os.kill(pid, signal.SIGSTOP)
        data = tar(Member("a", NOISE * 4))
        first, rest = data[: 1 << 20], data[1 << 20 :]
        await extraction.write(first)
        writing = extraction.write(rest)
        self.assertNoResult(writing)
        os.kill(pid, signal.SIGCONT)
        await writing
        await extraction.finish()
        self.assertEqual(self.read("a"), NOISE * 4)

    async def test_a_write_that_waits_can_be_cancelled(self) -> None:
        extraction = self.extraction("tar")
        await extraction.begin(None)
        os.kill(self.children()[0], signal.SIGSTOP)
        writing = extraction.write(NOISE * 2)
        writing.cancel()
        await self.assertFailure(writing, CancelledError)
        await extraction.abandon()
        self.assertEqual(self.children(), [])

    async def test_who_waits_is_told_when_the_child_dies(self) -> None:
        extraction = self.extraction("tar")
        await extraction.begin(None)
        (pid,) = self.children()
        os.kill(pid, signal.SIGSTOP)
        writing = extraction.write(NOISE * 2)
        os.kill(pid, signal.SIGKILL)
        await self.assertFailure(writing, ResourceUnavailable)


class SingleFiles(Unpacking):
    def setUp(self) -> None:
        super().setUp()
        self.source, self.target = self.folder.parent / "packed", self.folder.parent / "plain"

    async def decompress(self, form: str, data: bytes) -> Extracted:
        self.source.write_bytes(data)
        source, target = self.open(self.source, os.O_RDONLY), self.open(self.target, os.O_WRONLY | os.O_CREAT)
        return await self.extractor.decompress(form, source, target)

    def open(self, path: Path, flags: int) -> int:
        descriptor = os.open(path, flags | os.O_TRUNC * (flags != os.O_RDONLY), 0o600)
        self.addCleanup(os.close, descriptor)
        return descriptor

    async def test_each_format(self) -> None:
        for form, compress in COMPRESS.items():
            self.assertEqual(await self.decompress(form, compress(NOISE)), (1, len(NOISE)))
            self.assertEqual(self.target.read_bytes(), NOISE, form)

    async def test_what_is_not_of_that_format(self) -> None:
        error = await self.assertFailure(Deferred.fromCoroutine(self.decompress("xz", b"hello")), TaskFailed)
        self.assertEqual(error.messages, ("cannot unpack this xz: it is not xz: it begins with hello", ADVICE))

    async def test_what_nobody_reads(self) -> None:
        error = await self.assertFailure(Deferred.fromCoroutine(self.decompress("mz", b"")), MalformedPayload)
        self.assertRegex(str(error), "cannot read the format mz: use zst; it reads br, ")

    async def test_a_bomb(self) -> None:
        self.extractor = self.extractor_with(megabytes=5)
        decompressing = Deferred.fromCoroutine(self.decompress("gz", COMPRESS["gz"](bytes(20 << 20))))
        error = await self.assertFailure(decompressing, TaskFailed)
        self.assertIn("it takes more than 5 MB", str(error))

    async def test_cancelled_it_is_over(self) -> None:
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        self.addCleanup(os.close, read)
        decompressing = self.extractor.decompress("gz", read, self.open(self.target, os.O_WRONLY | os.O_CREAT))
        (pid,) = self.children()
        if os.geteuid() == 0:
            await until(lambda: f"Uid:\t{NOBODY.uid}\t" in _read(pid, "status"))
        decompressing.cancel()
        await self.assertFailure(decompressing, CancelledError)
        self.assertEqual(self.children(), [])
