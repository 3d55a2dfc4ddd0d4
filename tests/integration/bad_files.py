"""Tasks that leave folders and files that do not go easily."""

from __future__ import annotations

from tests.chances import SOAKING
from tests.definitions import shell
from tests.integration.bad_case import BadCase

FILES = 100_000 if SOAKING else 20_000


class BadFiles(BadCase):
    """What every worker must endure, whoever its tasks run as."""

    async def test_deletes_its_own_folder(self) -> None:
        await self.endure(shell('rm -rf "$TASK_WORKDIR"; echo done'), "completed", "done")

    async def test_empties_its_own_folder_while_it_is_in_it(self) -> None:
        script = 'mkdir -p a/b; cd a/b; rm -rf "$TASK_WORKDIR"/a; pwd; touch x; echo done'
        await self.endure(shell(script, "echo and the next"), "completed", "done", "and the next")

    async def test_puts_a_link_to_everything_in_place_of_its_folder(self) -> None:
        script = 'cd /; rm -rf "$TASK_WORKDIR"; ln -s / "$TASK_WORKDIR"; echo done'
        artifact = {"type": "file", "path": "etc/shadow", "name": "public/shadow", "optional": True}
        outcome = await self.endure(shell(script, artifacts=[artifact]), "completed", "done")
        self.assertNotEqual(outcome.artifacts.get("public/shadow", {}).get("storageType"), "s3")

    async def test_leaves_folders_that_nobody_may_write(self) -> None:
        script = "mkdir -p a/b/c d; touch a/b/c/x d/y; chmod 0 a/b/c; chmod 500 a/b a d; chmod 0 ."
        await self.endure(shell(script), "completed", "=== Task Finished ===")

    async def test_leaves_very_many_files(self) -> None:
        script = f"mkdir many; cd many; seq {FILES} | xargs touch; ls | wc -l"
        await self.endure(shell(script), "completed", str(FILES))

    async def test_leaves_folders_very_deep_in_one_another(self) -> None:
        perl = "for (1..3000) { mkdir q(d) and chdir q(d) or die } print qq(deep\\n)"
        await self.endure(shell(f"perl -e '{perl}'"), "completed", "deep")

    async def test_leaves_a_pipe_and_a_socket_where_files_should_be(self) -> None:
        script = "mkfifo pipe; perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => q(socket), Listen => 1)'; ls"
        artifacts = [{"type": "file", "path": name, "name": f"public/{name}"} for name in ("pipe", "socket")]
        outcome = await self.endure(shell(script, artifacts=artifacts), "failed", "pipe", "socket")
        errors = [artifact["storageType"] for name, artifact in outcome.artifacts.items() if "logs" not in name]
        self.assertEqual(errors, ["error", "error"])
