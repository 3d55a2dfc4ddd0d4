"""What a task left behind: files, folders, and whatever else is no plain file."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred

from tcworker.errors import ArchiveError, NotAFile, NotFound, NotReadable
from tcworker.interfaces import IResult
from tcworker.testing.context import read_archived, read_body
from tcworker.testing.engines.harness import OWN_USER, EngineHarness
from tcworker.testing.engines.payloads import Made
from tcworker.testing.engines.run import Run

TREE: Mapping[str, Made] = {
    "top.txt": Made("file", "top"),
    "out/a.txt": Made("file", "first"),
    "out/deep/er/b.bin": Made("file", "second"),
    "out/deep/z": Made("file", ""),
    "empty": Made("folder"),
    "pipe": Made("fifo"),
}


class MadeFiles(EngineHarness):
    """Tasks that make files."""

    async def left_by(self, tree: Mapping[str, Made]) -> IResult:
        """Run a task that makes some files."""
        return (await self.made(tree))[1]

    async def made(self, tree: Mapping[str, Made]) -> tuple[Run, IResult]:
        """Run a task that makes some files."""
        run, result = await self.finish(self.payloads.makes(tree))
        self.assertTrue(result.success, run.printed)
        return run, result


class FileCases(MadeFiles):
    """One file by its path."""

    async def test_file_with_its_content(self) -> None:
        """Any number of times, until it is closed; closing repeats."""
        result = await self.left_by(TREE)
        file = await result.archive_file("out/deep/er/b.bin")
        self.assertEqual((file.path, file.size), ("out/deep/er/b.bin", 6))
        self.assertEqual(file.open().length, 6)
        for _ in range(2):
            self.assertEqual(await read_archived(file), b"second")
        file.close()
        file.close()

    async def test_file_that_is_not_there(self) -> None:
        """The queue has a word for it."""
        result = await self.left_by(TREE)
        for path in ("missing", "out/missing", "missing/a.txt"):
            await self.fails(result.archive_file(path), NotFound)

    async def test_file_that_is_something_else(self) -> None:
        """A folder; or a pipe, for which nobody waits."""
        result = await self.left_by(TREE)
        for path in ("out", "pipe"):
            await self.fails(result.archive_file(path), NotAFile, 5)

    async def test_file_that_may_not_be_read(self) -> None:
        """By the task's own user."""
        self.requires(OWN_USER)
        result = await self.left_by({"mine": Made("unreadable", "x"), "locked": Made("locked")})
        await self.fails(result.archive_file("mine"), NotReadable)
        await self.fails(result.archive_file("locked/inside"), NotReadable)

    async def test_file_behind_links(self) -> None:
        """Links within the sandbox lead on; those that lead nowhere, or in circles, do not."""
        tree = {**TREE, "near": Made("link", "top.txt"), "far": Made("link", "out/deep")}
        loose = {"nowhere": Made("link", "missing"), "circle": Made("link", "circle")}
        result = await self.left_by({**tree, **loose})
        self.assertEqual(await read_archived(await result.archive_file("near")), b"top")
        self.assertEqual(await read_archived(await result.archive_file("far/er/b.bin")), b"second")
        await self.fails(result.archive_file("nowhere"), NotFound)
        await self.fails(result.archive_file("circle"), ArchiveError)

    async def test_file_that_shrinks_while_it_is_read(self) -> None:
        """An upload that promised more must not hang or lie."""
        run, result = await self.made(TREE)
        body = (await result.archive_file("top.txt")).open()
        self.rewrite(run.execution.record, "top.txt", b"t")
        await self.fails(Deferred.fromCoroutine(read_body(body)), ArchiveError)

    async def test_file_that_grows_while_it_is_read(self) -> None:
        """As much as was there at first, at each try, and no more."""
        run, result = await self.made(TREE)
        file = await result.archive_file("top.txt")
        body = file.open()
        self.rewrite(run.execution.record, "top.txt", b"top and more")
        self.assertEqual(await read_body(body), b"top")
        self.assertEqual(await read_archived(file), b"top")

    async def test_file_that_goes_before_it_is_opened(self) -> None:
        """Says so, if it can no longer be had."""
        run, result = await self.made(TREE)
        file = await result.archive_file("top.txt")
        self.rewrite(run.execution.record, "top.txt", None)
        try:
            self.assertEqual(await read_archived(file), b"top")
        except ArchiveError as error:
            self.assertIn("top.txt", str(error))

    async def test_file_leaves_no_descriptor(self) -> None:
        """Read to the end, given up before, or never begun."""
        result = await self.left_by(TREE)
        before = self.snapshot()
        for path in ("top.txt", "out/a.txt"):
            file = await result.archive_file(path)
            await read_archived(file)
            file.open().stopProducing()
            file.close()
        await self.nothing_left(before)
