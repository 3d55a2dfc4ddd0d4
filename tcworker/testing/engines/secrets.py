"""A task that wants to publish what it may not read."""

from __future__ import annotations

import posixpath

from tcworker.errors import ArchiveError
from tcworker.interfaces import ArchiveFault, IResult
from tcworker.testing.context import read_archived
from tcworker.testing.engines.artifacts import MadeFiles
from tcworker.testing.engines.harness import OWN_USER
from tcworker.testing.engines.payloads import Made

SECRET = "what no task may read"


class SecretCases(MadeFiles):
    """No way of archiving reaches what the task's user may not read."""

    async def test_links_reach_no_secret(self) -> None:
        """To the file, to its folder, and through one another."""
        self.requires(OWN_USER)
        secret = self.make_secret(SECRET)
        folder, name = posixpath.split(secret)
        links = {
            "out/file": Made("link", secret),
            "out/folder": Made("link", folder),
            "out/again": Made("link", "file"),
            "out/up": Made("link", "../" * 20 + secret.lstrip("/")),
        }
        result = await self.left_by({"out/mine": Made("file", "mine"), **links})
        for path in ("out/file", "out/again", "out/up", f"out/folder/{name}"):
            await self.keeps(result, path)
        for path in ("out", "out/folder", "."):
            await self.keeps_in_folder(result, path)

    async def test_paths_reach_no_secret(self) -> None:
        """Absolute ones, and those that climb out of the sandbox."""
        self.requires(OWN_USER)
        secret = self.make_secret(SECRET)
        result = await self.left_by({"mine": Made("file", "mine")})
        for path in (secret, "../" * 20 + secret.lstrip("/"), "mine/../" + "../" * 20 + secret.lstrip("/")):
            await self.keeps(result, path)

    async def test_the_tar_has_no_secret(self) -> None:
        """Links are packed as links."""
        self.requires(OWN_USER)
        secret = self.make_secret(SECRET)
        links = {"file": Made("link", secret), "folder": Made("link", posixpath.dirname(secret))}
        result = await self.left_by({"mine": Made("file", "mine"), **links})
        packed = b"".join([piece async for piece in result.archive()])
        self.assertIn(b"mine", packed)
        self.assertNotIn(SECRET.encode(), packed)

    async def test_a_link_made_after_archiving_reaches_no_secret(self) -> None:
        """Whoever opens a file later gets that file, or none."""
        self.requires(OWN_USER)
        secret = self.make_secret(SECRET)
        run, result = await self.made({"out/mine": Made("file", "mine")})
        file = await result.archive_file("out/mine")
        self.replace_by_link(run.execution.record, "out/mine", secret)
        try:
            self.assertEqual(await read_archived(file), b"mine")
        except ArchiveError:
            return

    async def keeps(self, result: IResult, path: str) -> None:
        """A file is refused, or is another one."""
        try:
            content = await read_archived(await result.archive_file(path))
        except ArchiveError:
            return
        self.assertNotIn(SECRET.encode(), content, path)

    async def keeps_in_folder(self, result: IResult, path: str) -> None:
        """No file of a folder has the secret in it."""
        try:
            async for entry in result.archive_folder(path):
                if not isinstance(entry, ArchiveFault):
                    self.assertNotIn(SECRET.encode(), await read_archived(entry), path)
                    entry.close()
        except ArchiveError:
            return
