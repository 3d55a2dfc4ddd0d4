"""Whole folders of what a task left behind, and the whole sandbox."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncGenerator, Mapping

from tcworker.errors import ArchiveError, NotAFile, NotFound, NotReadable
from tcworker.interfaces import ArchiveFault, IResult
from tcworker.testing.context import read_archived
from tcworker.testing.engines.artifacts import TREE, MadeFiles
from tcworker.testing.engines.harness import OWN_USER
from tcworker.testing.engines.payloads import Made


class FolderCases(MadeFiles):
    """A folder and all that is in it."""

    async def test_folder_with_all_its_files(self) -> None:
        """By relative paths with slashes, sorted, and nothing else."""
        result = await self.left_by(TREE)
        found = await self.archived(result, "out")
        self.assertEqual(found, {"a.txt": b"first", "deep/er/b.bin": b"second", "deep/z": b""})
        self.assertEqual(list(found), sorted(found))

    async def test_folder_that_is_empty(self) -> None:
        """Nothing, and no fault."""
        self.assertEqual(await self.archived(await self.left_by(TREE), "empty"), {})

    async def test_folder_that_is_not_there(self) -> None:
        """Said at the first step."""
        result = await self.left_by(TREE)
        with self.assertRaises(NotFound):
            await self.archived(result, "missing")
        with self.assertRaises(NotFound):
            await self.archived(result, "out/missing")

    async def test_folder_that_is_a_file(self) -> None:
        """Or a pipe."""
        result = await self.left_by(TREE)
        for path in ("top.txt", "pipe"):
            with self.assertRaises(NotAFile):
                await self.archived(result, path)

    async def test_folder_that_may_not_be_read(self) -> None:
        """By the task's own user."""
        self.requires(OWN_USER)
        result = await self.left_by({"locked": Made("locked")})
        with self.assertRaises(NotReadable):
            await self.archived(result, "locked")

    async def test_folder_with_what_cannot_be_archived(self) -> None:
        """Each is a fault with its path, and the rest is there all the same; a pipe is not waited for."""
        odd = {"out/b-pipe": Made("fifo"), "out/c-nowhere": Made("link", "missing")}
        found = await self.archived(await self.left_by({**TREE, **odd}), "out")
        self.assertEqual(found["a.txt"], b"first")
        self.assertEqual(found["deep/z"], b"")
        self.assertEqual(found["b-pipe"], NotAFile.reason)
        self.assertEqual(found["c-nowhere"], NotFound.reason)

    async def test_folder_with_what_may_not_be_read(self) -> None:
        """Each is a fault with its path."""
        self.requires(OWN_USER)
        odd = {"out/b-mine": Made("unreadable", "x"), "out/c-locked": Made("locked")}
        found = await self.archived(await self.left_by({**TREE, **odd}), "out")
        self.assertEqual((found["b-mine"], found["c-locked"]), (NotReadable.reason, NotReadable.reason))
        self.assertEqual(found["a.txt"], b"first")

    async def test_folder_follows_no_links_to_folders(self) -> None:
        """Not even to its own parent, which would have no end."""
        links = {
            "out/up": Made("link", ".."),
            "out/beside": Made("link", "../empty"),
            "out/same": Made("link", "a.txt"),
        }
        found = await self.archived(await self.left_by({**TREE, **links}), "out")
        self.assertEqual([path for path in found if path.startswith(("up/", "beside/"))], [])
        self.assertEqual(found["same"], b"first")

    async def test_folder_given_up_in_the_middle(self) -> None:
        """Leaves nothing open."""
        result = await self.left_by(TREE)
        before = self.snapshot()
        entries = result.archive_folder("out")
        first = await anext(entries)
        assert not isinstance(first, ArchiveFault), first
        first.close()
        if isinstance(entries, AsyncGenerator):
            await entries.aclose()
        await self.nothing_left(before)

    async def test_whole_sandbox_is_a_tar(self) -> None:
        """Which can be read, and has the files in it."""
        result = await self.left_by({**TREE, "near": Made("link", "top.txt")})
        packed = b"".join([piece async for piece in result.archive()])
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            contents = {entry.name.removeprefix("./"): _content(tar, entry) for entry in tar if entry.isfile()}
        for path in ("top.txt", "out/a.txt", "out/deep/er/b.bin"):
            ((_, content),) = [item for item in contents.items() if ("/" + item[0]).endswith("/" + path)]
            self.assertEqual(content, TREE[path].text.encode())

    async def test_dispose_repeats(self) -> None:
        """And nothing is left after the first."""
        result = await self.left_by(TREE)
        await result.dispose()
        await result.dispose()
        after = self.snapshot()
        await (await self.left_by(TREE)).dispose()
        await self.nothing_left(after)
        with self.assertRaises(ArchiveError):
            await result.archive_file("top.txt")

    async def archived(self, result: IResult, path: str) -> Mapping[str, bytes | str]:
        """Archive a folder: contents by path, and for faults their reasons."""
        found: dict[str, bytes | str] = {}
        async for entry in result.archive_folder(path):
            self.assertNotIn(entry.path, found)
            if isinstance(entry, ArchiveFault):
                found[entry.path] = entry.reason
            else:
                found[entry.path] = await read_archived(entry)
                entry.close()
        return found


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(entry)
    return file.read() if file else b""
