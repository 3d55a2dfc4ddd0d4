"""Files, folders and caches of tasks, through a whole worker (contracts of generic-worker, 1 and 4)."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SkipTest

from tcworker.client.services import Auth, PurgeCache
from tests.definitions import shell
from tests.integration.archives import COMPRESSIONS, FORMS, archive
from tests.integration.bad_server import content, slow
from tests.integration.mounts_case import TREE, AsOrdinaryUser, MountsCase
from tests.integration.task_case import POOL
from tests.surroundings import only_root, open_folder, until

CACHE = {"cacheName": "c", "directory": "cache"}

ALL_OF_IT = "cat tree/a.txt tree/deep/er/b.txt"


class Files(MountsCase):
    """Of all contents and formats."""

    async def test_a_text_and_bytes(self) -> None:
        encoded = base64.b64encode(b"bytes\0\n").decode()
        text, data = {"file": "t", "content": {"raw": "täxt\n"}}, {"file": "b", "content": {"base64": encoded}}
        await self.assertPrints("cat t; od -An -c b", "täxt", text, data)
        await self.assertPrints("od -An -tx1 b", " 62 79 74 65 73 00 0a", data)

    async def test_an_address(self) -> None:
        mount = {"file": "deep/er/x", "content": self.url("/x", b"fetched\n")}
        outcome = await self.assertPrints("cat deep/er/x; touch deep/er/mine", "fetched", mount)
        self.assertIn(f"[mounts] mounts[0]: downloading {self.server.root}/x", outcome.log)
        self.assertIn("sha256 ", outcome.log)

    async def test_an_address_whose_content_changed(self) -> None:
        mount = {"file": "x", "content": self.url("/x", b"old\n")}
        await self.assertPrints("cat x", "old", mount)
        await self.assertPrints("cat x", "old", mount)
        self.assertEqual(len(self.server.gets("/x")), 1)
        self.server.serve("/x", content(b"new\n", '"two"'))
        await self.assertPrints("cat x", "new", mount)

    async def test_an_artifact_of_another_task(self) -> None:
        task_id = await self.artifact("made before")
        mount = {"file": "x", "content": {"taskId": task_id, "artifact": "public/data.txt"}}
        await self.assertPrints("cat x; echo", "made before", mount, dependencies=[task_id])

    async def test_an_artifact_of_an_indexed_task(self) -> None:
        mount = {"file": "x", "content": {"namespace": "tests.newest", "artifact": "public/data.txt"}}
        scopes = ["queue:route:index.tests.newest"]
        for data in ("one", "two"):
            await self.artifact(data, routes=["index.tests.newest"], scopes=scopes)
            await self.assertPrints("cat x; echo", data, mount)

    async def test_each_kind_of_compression(self) -> None:
        mounts = [
            {"file": form, "content": self.url(f"/{form}", compress(f"in {form}\n".encode())), "format": form}
            for form, compress in COMPRESSIONS.items()
        ]
        outcome = await self.mounting(f"cat {' '.join(COMPRESSIONS)}", *mounts)
        self.assertResolved(outcome, "completed", *(f"in {form}" for form in COMPRESSIONS))

    async def test_it_is_the_task_s_own_copy(self) -> None:
        mount = {"file": "x", "content": {"raw": "as it was\n"}}
        for _ in range(2):
            await self.assertPrints("test -O x && cat x && echo changed > x", "as it was", mount)

    async def test_it_takes_the_place_of_a_file_and_not_of_a_folder(self) -> None:
        one, two = {"file": "x", "content": {"raw": "one\n"}}, {"file": "x", "content": {"raw": "two\n"}}
        await self.assertPrints("cat x", "two", one, two)
        await self.assertPrints("mkdir cache/x; echo done", "done", CACHE)
        outcome = await self.mounting("true", CACHE, {**one, "file": "cache/x"})
        self.assertResolved(outcome, "failed")
        self.assertIn("payload.mounts[1]: ", outcome.errors[0])
        await self.assertPrints("ls cache", "x", CACHE)


class FilesOfOrdinaryUser(AsOrdinaryUser):
    async def test_a_text_and_a_compressed_file(self) -> None:
        text, xz = {"file": "t", "content": {"raw": "text\n"}}, self.url("/x", COMPRESSIONS["xz"](b"in xz\n"))
        outcome = await self.mounting("cat t x", text, {"file": "x", "content": xz, "format": "xz"})
        self.assertResolved(outcome, "completed", "text", "in xz")


class Folders(MountsCase):
    """What is in archives."""

    def tree(self, directory: str = "tree", form: str = "tar.zst", files: Mapping[str, bytes] = TREE) -> Any:
        """A mount of a few files; other files are at another address."""
        path = f"/{form}-{len(files)}-{'-'.join(files).replace('/', '-')}"
        return {"directory": directory, "content": self.url(path, archive(form, files)), "format": form}

    async def test_each_kind_of_archive(self) -> None:
        script = f"for form in {' '.join(FORMS)}; do cat $form/a.txt $form/deep/er/b.txt; done | sort | uniq -c"
        outcome = await self.mounting(script, *(self.tree(form, form) for form in FORMS))
        self.assertResolved(outcome, "completed", f"{len(FORMS)} first", f"{len(FORMS)} second")

    async def test_the_second_task_unpacks_nothing(self) -> None:
        await self.assertPrints(ALL_OF_IT, "second", self.tree())
        outcome = await self.assertPrints(ALL_OF_IT, "second", self.tree())
        self.assertIn("was here already", outcome.log)
        self.assertEqual(len(self.server.gets("/tar.zst-2-a.txt-deep-er-b.txt")), 1)
        self.assertEqual(len(self.kept()), 1)

    async def test_what_a_task_changes_nobody_else_sees(self) -> None:
        script = (
            "test -O tree/a.txt; cat tree/a.txt; echo changed > tree/a.txt; rm -r tree/deep; touch tree/new; ls tree"
        )
        for _ in range(2):
            outcome = await self.mounting(script, self.tree())
            self.assertResolved(outcome, "completed", "first", "a.txt", "new")

    async def test_what_a_task_makes_of_it_can_be_published(self) -> None:
        artifact = {"type": "directory", "path": "tree", "name": "public/tree"}
        outcome = await self.mounting("echo more >> tree/a.txt", self.tree(), payload={"artifacts": [artifact]})
        self.assertResolved(outcome, "completed")
        self.assertEqual(await self.client.content(outcome.task_id, 0, "public/tree/a.txt"), b"first\nmore\n")
        self.assertEqual(await self.client.content(outcome.task_id, 0, "public/tree/deep/er/b.txt"), b"second\n")

    async def test_the_task_s_own_folder(self) -> None:
        artifact = {"type": "file", "path": "made.txt", "name": "public/made.txt"}
        outcome = await self.mounting(
            "cat a.txt; cp a.txt made.txt; touch ~/x; ls", self.tree("."), payload={"artifacts": [artifact]}
        )
        self.assertResolved(outcome, "completed", "first", "a.txt", "deep", "made.txt", "x")
        self.assertEqual(await self.client.content(outcome.task_id, 0, "public/made.txt"), b"first\n")

    async def test_two_in_one_folder(self) -> None:
        other = self.tree(files={"c.txt": b"third\n", "deep/d.txt": b"fourth\n"})
        outcome = await self.mounting("find tree -type f | sort | xargs cat", self.tree(), other)
        self.assertResolved(outcome, "completed", "first", "third", "fourth", "second")

    async def test_one_in_another(self) -> None:
        outcome = await self.mounting(
            "cat tree/in/a.txt tree/a.txt tree/f",
            self.tree(),
            self.tree("tree/in", files={"a.txt": b"inner\n"}),
            {"file": "tree/f", "content": {"raw": "a file\n"}},
        )
        self.assertResolved(outcome, "completed", "inner", "first", "a file")

    async def test_a_path_that_is_absolute(self) -> None:
        # Who has no /tmp of its own would leave it there.
        only_root()
        await self.assertPrints("cat /tmp/tree/a.txt", "first", self.tree("/tmp/tree"))


class FoldersOfOrdinaryUser(AsOrdinaryUser):
    async def test_what_a_task_changes_nobody_else_sees(self) -> None:
        mount = {"directory": "tree", "content": self.url("/t", archive("tar.gz", TREE)), "format": "tar.gz"}
        for _ in range(2):
            await self.assertPrints("cat tree/a.txt && echo changed > tree/a.txt", "first", mount)


class StrictFolders(MountsCase):
    settings: ClassVar = {"mounts": {"strictReadOnly": True}}

    async def test_nothing_can_be_changed(self) -> None:
        mount = {"directory": "tree", "content": self.url("/t", archive("tar", TREE)), "format": "tar"}
        script = f"{ALL_OF_IT}; for x in tree/new tree/a.txt; do (echo x >> $x) || echo no $x; done; rm -rf tree/deep"
        for _ in range(2):
            outcome = await self.mounting(f"{script}; {ALL_OF_IT}", mount)
            self.assertResolved(outcome, "completed", "first", "no tree/new", "no tree/a.txt", "second")


class Caches(MountsCase):
    """What the next task finds."""

    async def left(self, *, there: bool, **more: Any) -> None:
        """See whether a cache has what a task has put there."""
        script = "test -e cache/left && echo there || echo new"
        await self.assertPrints(script, "there" if there else "new", CACHE, **more)

    async def test_the_next_task_finds_what_the_last_one_left(self) -> None:
        script = "mkdir -p cache/deep && cp /bin/true cache/deep && date > cache/left"
        await self.assertPrints(f"{script}; echo done", "done", CACHE)
        script = "test -O cache && test -O cache/deep/true && cache/deep/true && rm -r cache/deep && touch cache/x"
        await self.assertPrints(f"{script} && echo mine", "mine", {**CACHE, "directory": "elsewhere/in/it"} | CACHE)
        await self.left(there=True)

    async def test_it_may_be_elsewhere_the_next_time(self) -> None:
        await self.assertPrints("touch cache/left; echo done", "done", CACHE)
        await self.assertPrints("ls a/b", "left", {**CACHE, "directory": "a/b"})

    async def test_another_name_is_another_cache(self) -> None:
        await self.assertPrints("touch cache/left; echo done", "done", CACHE)
        await self.assertPrints("ls cache; echo empty", "empty", {**CACHE, "cacheName": "d"})

    async def test_content_is_for_a_new_one(self) -> None:
        mount = {**CACHE, "content": self.url("/t", archive("tar.xz", TREE)), "format": "tar.xz"}
        await self.assertPrints("cat cache/a.txt; test -O cache/a.txt && echo changed > cache/a.txt", "first", mount)
        await self.assertPrints("cat cache/a.txt", "changed", mount)
        self.assertEqual(len(self.server.gets("/t")), 1)

    async def test_a_task_that_fails(self) -> None:
        self.assertResolved(await self.mounting("touch cache/left; exit 1", CACHE), "failed")
        await self.left(there=True)

    async def test_a_task_that_the_worker_ended(self) -> None:
        outcome = await self.mounting("touch cache/left; sleep 60", CACHE, payload={"maxRunTime": 1})
        self.assertResolved(outcome, "failed", "[mounts] Purging caches since the worker ended the task")
        await self.left(there=False)

    async def test_a_task_that_is_cancelled(self) -> None:
        payload = shell("touch cache/left begun; sleep 60", mounts=[CACHE])
        task_id = await self.client.create(payload, scopes=["generic-worker:cache:c"])
        await self.until_begun()
        await self.client.queue.cancel_task(task_id)
        await self.client.outcome(task_id)
        await self.left(there=False)

    async def test_a_status_for_which_they_are_purged(self) -> None:
        asked = {"onExitStatus": {"purgeCaches": [72]}}
        outcome = await self.mounting("touch cache/left; exit 72", CACHE, payload=asked)
        self.assertResolved(outcome, "failed", "Purging caches since the last command exited with status 72")
        await self.left(there=False)

    async def test_its_folder_stays_whatever_the_task_does(self) -> None:
        """With a user for each task it is mounted."""
        await self.assertPrints("touch cache/left; rm -r cache; echo gone", "gone", CACHE)
        await self.left(there=False)
        await self.assertPrints("touch cache/left; mv cache other || echo stays", "stays", CACHE)
        await self.left(there=True)

    async def test_what_lies_in_one_can_be_published(self) -> None:
        for path in ("cache/left", "./cache/../cache/left"):
            artifact = {"type": "file", "path": path, "name": "public/left"}
            outcome = await self.mounting("date > cache/left", CACHE, payload={"artifacts": [artifact]})
            self.assertResolved(outcome, "completed")
            self.assertTrue(await self.client.content(outcome.task_id, 0, "public/left"))
            await self.left(there=True)

    async def test_one_in_another(self) -> None:
        inner = {"cacheName": "inner", "directory": "cache/inner"}
        for _ in range(2):
            await self.assertPrints("date > cache/inner/x; date > cache/left; echo done", "done", CACHE, inner)
        await self.assertPrints("ls cache; test -e cache/inner/x || echo apart", "apart", CACHE)

    async def test_without_the_scope(self) -> None:
        await self.assertPrints("touch cache/left; echo done", "done", CACHE)
        other = {"cacheName": "d", "directory": "d"}
        outcome = await self.mounting("true", CACHE, other, scopes=["generic-worker:cache:e"])
        self.assertMalformed(
            outcome, "payload.mounts: the task lacks scopes: generic-worker:cache:c, generic-worker:cach"
        )
        await self.left(there=True)

    async def test_by_a_role_that_the_task_may_assume(self) -> None:
        role = {"scopes": ["generic-worker:cache:c"], "description": ""}
        await self.client.service(Auth).create_role("cachers", role)
        await self.left(there=False, scopes=["assume:cachers"])

    async def test_a_payload_that_is_wrong_leaves_it_as_it_is(self) -> None:
        await self.assertPrints("touch cache/left; echo done", "done", CACHE)
        bad = {"file": "x", "content": {"url": f"{self.server.root}/missing"}}
        self.assertResolved(await self.mounting("true", CACHE, bad), "failed", "payload.mounts[1]: ")
        await self.left(there=True)

    async def test_two_in_one_place(self) -> None:
        outcome = await self.mounting("true", CACHE, {"cacheName": "d", "directory": "./cache/"})
        self.assertMalformed(outcome, "payload.mounts[1]: ")
        await self.left(there=False)

    async def test_a_purge_that_was_asked_for(self) -> None:
        await self.assertPrints("touch cache/left; echo done", "done", CACHE)
        await self.client.service(PurgeCache).purge_cache(POOL, {"cacheName": "c"})
        await self.left(there=False)


class CachesOfOrdinaryUser(AsOrdinaryUser):
    async def test_the_next_task_finds_what_the_last_one_left(self) -> None:
        mount = {**CACHE, "content": self.url("/t", archive("tar.zst", TREE)), "format": "tar.zst"}
        await self.assertPrints("cat cache/a.txt; touch cache/left; echo done", "first", mount)
        await self.assertPrints("ls cache", "left", mount)

    async def test_one_that_the_task_removed(self) -> None:
        outcome = await self.mounting("rm -r cache; echo gone", CACHE)
        self.assertResolved(outcome, "failed", "gone", "payload.mounts[0]: ")
        await self.assertPrints("ls -A cache | wc -l", "0", CACHE)

    async def test_one_in_whose_place_the_task_put_something_else(self) -> None:
        outcome = await self.mounting("mv cache other; ln -s /etc cache", CACHE)
        self.assertResolved(outcome, "failed", "payload.mounts[0]: ")
        await self.assertPrints("ls -A cache | wc -l", "0", CACHE)


class SideBySide(MountsCase):
    # Where one can see what the other one makes.
    settings: ClassVar = {"capacity": 2, "privateTmp": False}

    async def both(self, script: str, *mounts: Any) -> list[Any]:
        tasks: list[Deferred[Any]] = [Deferred.fromCoroutine(self.mounting(script, *mounts)) for _ in range(2)]
        return await gatherResults(tasks, consumeErrors=True)

    async def test_one_cache_is_two(self) -> None:
        place = open_folder(self)
        os.chmod(place, 0o777)
        meet = f"touch {place}/$TASK_ID; until [ $(ls {place} | wc -l) = 2 ]; do sleep 0.1; done"
        meet = f"touch cache/$TASK_ID; {meet}; ls cache | wc -l"
        for outcome in await self.both(meet, CACHE):
            self.assertResolved(outcome, "completed", "1")
        await until(lambda: len(self.kept()) == 2)

    async def test_one_download_is_for_both(self) -> None:
        packed = archive("tar.gz", {"data": os.urandom(100_000)})
        url = {"url": self.server.serve("/t", slow(packed, 20_000, 0.2))}
        mount = {"directory": "tree", "content": {**url, "sha256": _sha256(packed)}, "format": "tar.gz"}
        for outcome in await self.both("wc -c < tree/data", mount):
            self.assertResolved(outcome, "completed", "100000")
        self.assertEqual(len(self.server.gets("/t")), 1)


class CachesOnAnotherDisk(MountsCase):
    def own_settings(self) -> Mapping[str, Any]:
        only_root()
        disk = open_folder(self)
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", disk], stderr=subprocess.DEVNULL
        ).returncode:
            raise SkipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=True)
        return {"cachesDir": f"{disk}/caches"}

    async def test_they_move_all_the_same(self) -> None:
        mount = {**CACHE, "content": self.url("/t", archive("tar", TREE)), "format": "tar"}
        await self.assertPrints("cat cache/a.txt; ln -s a.txt cache/link; touch cache/left", "first", mount)
        await self.assertPrints("cat cache/link; test -O cache/left && ls cache", "left", mount)

    async def test_folders_too(self) -> None:
        mount = {"directory": "tree", "content": self.url("/t", archive("tar", TREE)), "format": "tar"}
        for _ in range(2):
            await self.assertPrints(f"{ALL_OF_IT}; echo changed > tree/a.txt", "first", mount)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
