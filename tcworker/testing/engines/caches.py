"""What is attached to a sandbox: caches, folders that others read as well, and files."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Mapping, Sequence

from twisted.trial.unittest import SkipTest

from tcworker.errors import Discarded, MalformedPayload, NamingConflict, SandboxAborted, TaskError, TaskFailed
from tcworker.interfaces import ICacheFolder, IEngine, IResult
from tcworker.testing.context import read_archived
from tcworker.testing.engines.harness import CACHES, EngineHarness
from tcworker.testing.engines.payloads import Made, Payload
from tcworker.testing.engines.run import Run


class Attaching(EngineHarness):
    """Tasks to which something is attached.

    @cvar caches_can_go: whether a task can remove the folder of its cache; it cannot where that is mounted for it.
    """

    caches_can_go = True

    async def new_cache(self, tree: Mapping[str, str] | None = None) -> ICacheFolder:
        """A folder with files in it, which a task made."""
        self.requires(CACHES)
        folder = await self.platform.new_cache_folder("a cache")
        self.addCleanup(folder.delete)
        if tree:
            engine = self.new_engine(self.makes({f"c/{path}": text for path, text in tree.items()}))
            await engine.attach_cache(folder, "c", "mounts[0]")
            result = await self.result(engine)
            await result.detach_cache(folder)
            await result.dispose()
        return folder

    def new_file(self, text: str) -> str:
        """A file of the worker's own."""
        self.requires(CACHES)
        descriptor, path = tempfile.mkstemp(prefix="tcworker-mounted-")
        with open(descriptor, "w") as file:
            file.write(text)
        self.addCleanup(os.unlink, path)
        return path

    def makes(self, files: Mapping[str, str]) -> Payload:
        """A task that makes files, over those that are there."""
        return self.payloads.makes({path: Made("file", text) for path, text in files.items()})

    async def result(self, engine: IEngine) -> IResult:
        """Run a task to its end, which it must reach without a fault."""
        result = await self.any_result(engine)
        self.assertTrue(result.success, [command.exit for command in result.commands])
        return result

    async def any_result(self, engine: IEngine) -> IResult:
        """Run a task to its end."""
        execution = await engine.start()
        self.addCleanup(self.free, Run(self.new_context({}), engine, execution))
        return await self.soon(execution.when_finished(), lambda: "no end")

    async def found(self, result: IResult, *paths: str) -> Sequence[bytes]:
        """What files of a task have in them."""
        return [await read_archived(await result.archive_file(path)) for path in paths]

    async def inside(self, folder: ICacheFolder) -> Mapping[str, bytes]:
        """The files of a cache."""
        packed = b"".join([piece async for piece in folder.archive()])
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            files = [(entry.name.removeprefix("./"), tar.extractfile(entry)) for entry in tar if entry.isfile()]
            return {name: file.read() for name, file in files if file is not None}


class CacheCases(Attaching):
    """A folder that one task has after the other."""

    async def test_cache_keeps_what_tasks_make(self) -> None:
        """Each finds what the last one left, wherever it is."""
        folder = await self.new_cache({"first": "1", "deep/er": "2"})
        engine = self.new_engine(self.makes({"a/b/more": "3"}))
        await engine.attach_cache(folder, "a/b", "mounts[0]")
        result = await self.result(engine)
        self.assertEqual(await self.found(result, "a/b/first", "a/b/deep/er"), [b"1", b"2"])
        await result.detach_cache(folder)
        self.assertEqual(await self.inside(folder), {"first": b"1", "deep/er": b"2", "more": b"3"})

    async def test_cache_is_no_more_in_a_sandbox_it_was_taken_from(self) -> None:
        """So that the next task can have it while this one's artifacts are published."""
        folder = await self.new_cache({"first": "1"})
        engine = self.new_engine(self.payloads.prints("x"))
        await engine.attach_cache(folder, "c", "mounts[0]")
        result = await self.result(engine)
        await result.detach_cache(folder)
        other = self.new_engine(self.payloads.prints("x"))
        await other.attach_cache(folder, "d", "mounts[0]")
        self.assertEqual(await self.found(await self.result(other), "d/first"), [b"1"])
        await self.fails(result.detach_cache(folder), TaskFailed)

    async def test_cache_in_a_cache(self) -> None:
        """The inner one is taken back first."""
        outer, inner = await self.new_cache({"o": "1"}), await self.new_cache({"i": "2"})
        engine = self.new_engine(self.makes({"c/in/new": "3"}))
        await engine.attach_cache(outer, "c", "mounts[0]")
        await engine.attach_cache(inner, "c/in", "mounts[1]")
        result = await self.result(engine)
        await result.detach_cache(inner)
        await result.detach_cache(outer)
        self.assertEqual((await self.inside(outer), await self.inside(inner)), ({"o": b"1"}, {"i": b"2", "new": b"3"}))

    async def test_cache_of_a_task_that_failed_is_kept(self) -> None:
        """What becomes of it is for others to decide."""
        folder = await self.new_cache({"first": "1"})
        engine = self.new_engine(self.payloads.prints("x", 3))
        await engine.attach_cache(folder, "c", "mounts[0]")
        await (await self.any_result(engine)).detach_cache(folder)
        self.assertEqual(await self.inside(folder), {"first": b"1"})

    async def test_cache_that_the_task_removed(self) -> None:
        """Or put something else into its place."""
        if not self.caches_can_go:
            raise SkipTest("here a task can remove what is in a cache, not the folder itself")
        for tree in ({"w/c": Made("nothing")}, {"w/c": Made("nothing"), "w/./c": Made("link", "/")}):
            folder = await self.new_cache()
            engine = self.new_engine(self.payloads.makes(tree))
            await engine.attach_cache(folder, "w/c", "mounts[0]")
            result = await self.result(engine)
            await self.fails(result.detach_cache(folder), TaskFailed)
            await result.dispose()

    async def test_cache_of_a_sandbox_that_does_not_start(self) -> None:
        """It is whole, and the next task can have it."""
        folder = await self.new_cache({"first": "1"})
        engine = self.new_engine(self.payloads.prints("x"))
        await engine.attach_cache(folder, "c", "mounts[0]")
        # Of which the platform knows only when it is there.
        await engine.attach_file("/no/such/file", "f", "mounts[1]")
        await self.fails(engine.start(), TaskError)
        self.assertEqual(await self.inside(folder), {"first": b"1"})

    async def test_cache_of_a_sandbox_that_is_discarded(self) -> None:
        """Before it starts, or while it does."""
        folder = await self.new_cache({"first": "1"})
        for begins in (False, True):
            engine = self.new_engine(self.slow_start())
            await engine.attach_cache(folder, "c", "mounts[0]")
            starting = engine.start() if begins else None
            await engine.discard()
            if starting is not None:
                await self.fails(starting, Discarded)
            self.assertEqual(await self.inside(folder), {"first": b"1"})

    async def test_cache_of_an_execution_that_is_aborted(self) -> None:
        """It is lost: nobody knows what the task was about to do."""
        folder = await self.new_cache({"first": "1"})
        before = self.snapshot()
        engine = self.new_engine(self.payloads.prints_then_sleeps("x"))
        await engine.attach_cache(folder, "c", "mounts[0]")
        execution = await engine.start()
        await execution.abort("the test wants it")
        await self.fails(execution.when_finished(), SandboxAborted)
        await folder.delete()
        await self.nothing_left(before)

    async def test_cache_is_found_after_a_restart(self) -> None:
        """By what it noted."""
        folder = await self.new_cache({"first": "1"})
        await self.prepare()
        found = await self.platform.find_cache_folder(folder.name, folder.details)
        assert found is not None
        self.assertEqual(await self.inside(found), {"first": b"1"})
        await self.platform.sweep_cache_folders()
        self.assertEqual(await self.inside(found), {"first": b"1"})
        await found.delete()


class TreeCases(Attaching):
    """Folders that many tasks read."""

    async def test_tree_is_the_tasks_own(self) -> None:
        """It changes what it likes, and nobody else sees that."""
        folder = await self.new_cache({"a": "shared", "deep/b": "shared"})
        for number in ("1", "2"):
            engine = self.new_engine(self.makes({"t/a": number, "t/deep/new": number}))
            await engine.attach_tree(folder, "t", "mounts[0]", False)
            result = await self.result(engine)
            found = await self.found(result, "t/a", "t/deep/b", "t/deep/new")
            self.assertEqual(found, [number.encode(), b"shared", number.encode()])
            await result.dispose()
        self.assertEqual(await self.inside(folder), {"a": b"shared", "deep/b": b"shared"})

    async def test_tree_in_the_tasks_folder_itself(self) -> None:
        """The usual way to have a checkout."""
        folder = await self.new_cache({"a": "shared", "deep/b": "shared"})
        engine = self.new_engine(self.makes({"deep/new": "x"}))
        await engine.attach_tree(folder, ".", "mounts[0]", False)
        result = await self.result(engine)
        self.assertEqual(await self.found(result, "a", "deep/b", "deep/new"), [b"shared", b"shared", b"x"])

    async def test_trees_in_one_place(self) -> None:
        """The later over the earlier, and their folders become one."""
        first, second = await self.new_cache({"x": "1", "d/a": "1"}), await self.new_cache({"x": "2", "d/b": "2"})
        engine = self.new_engine(self.payloads.prints("x"))
        await engine.attach_tree(first, "t", "mounts[0]", False)
        await engine.attach_tree(second, "t", "mounts[1]", False)
        self.assertEqual(await self.found(await self.result(engine), "t/x", "t/d/a", "t/d/b"), [b"2", b"1", b"2"])

    async def test_trees_in_each_other(self) -> None:
        """In either order."""
        outer, inner = await self.new_cache({"o": "1", "in/both": "1"}), await self.new_cache({"both": "2", "i": "2"})
        for order, expected in (((outer, inner), b"2"), ((inner, outer), b"1")):
            engine = self.new_engine(self.payloads.prints("x"))
            for folder in order:
                await engine.attach_tree(folder, "t" if folder is outer else "t/in", "mounts[0]", False)
            result = await self.result(engine)
            self.assertEqual(await self.found(result, "t/o", "t/in/i", "t/in/both"), [b"1", b"2", expected])

    async def test_tree_around_a_cache(self) -> None:
        """What the task does in the cache stays there."""
        tree, cache = await self.new_cache({"a": "1"}), await self.new_cache({"c": "2"})
        engine = self.new_engine(self.makes({"cache/new": "3", "a": "4"}))
        await engine.attach_cache(cache, "cache", "mounts[0]")
        await engine.attach_tree(tree, ".", "mounts[1]", False)
        result = await self.result(engine)
        await result.detach_cache(cache)
        self.assertEqual((await self.inside(tree), await self.inside(cache)), ({"a": b"1"}, {"c": b"2", "new": b"3"}))

    async def test_tree_in_a_cache(self) -> None:
        """It is the cache's from then on."""
        tree, cache = await self.new_cache({"a": "1", "deep/b": "1"}), await self.new_cache({"deep/c": "2"})
        engine = self.new_engine(self.makes({"c/deep/new": "3"}))
        await engine.attach_cache(cache, "c", "mounts[0]")
        await engine.attach_tree(tree, "c", "mounts[1]", False)
        await (await self.result(engine)).detach_cache(cache)
        expected = {"a": b"1", "deep/b": b"1", "deep/c": b"2", "deep/new": b"3"}
        self.assertEqual(dict(await self.inside(cache)), expected)

    async def test_tree_that_cannot_be_changed(self) -> None:
        """Not even by its task."""
        folder = await self.new_cache({"a": "shared"})
        engine = self.new_engine(self.makes({"t/a": "changed"}))
        await engine.attach_tree(folder, "t", "mounts[0]", True)
        result = await self.any_result(engine)
        self.assertFalse(result.success)
        self.assertEqual(await self.found(result, "t/a"), [b"shared"])
        self.assertEqual(await self.inside(folder), {"a": b"shared"})


class MountedFileCases(Attaching):
    """Copies of files."""

    async def test_file_is_a_copy(self) -> None:
        """The task may do with it what it likes."""
        path = self.new_file("text")
        for number in range(2):
            engine = self.new_engine(self.makes({"way/to/copy": str(number)} if number else {"x": ""}))
            await engine.attach_file(path, "way/to/copy", "mounts[0]")
            result = await self.result(engine)
            self.assertEqual(await self.found(result, "way/to/copy"), [b"1" if number else b"text"])
        self.assertEqual(_read(path), "text")

    async def test_file_over_another(self) -> None:
        """The last one counts, be it of a tree or not."""
        tree, files = await self.new_cache({"f": "tree"}), [self.new_file("1"), self.new_file("2")]
        engine = self.new_engine(self.payloads.prints("x"))
        for path in files:
            await engine.attach_file(path, "f", "mounts[0]")
        await engine.attach_file(files[0], "t/f", "mounts[1]")
        await engine.attach_tree(tree, "t", "mounts[2]", False)
        await engine.attach_tree(tree, "u", "mounts[3]", False)
        await engine.attach_file(files[0], "u/f", "mounts[4]")
        self.assertEqual(await self.found(await self.result(engine), "f", "t/f", "u/f"), [b"2", b"tree", b"1"])

    async def test_file_in_a_cache(self) -> None:
        """It is the cache's from then on, in the place of the one that was there."""
        folder, path = await self.new_cache({"f": "before"}), self.new_file("after")
        engine = self.new_engine(self.payloads.prints("x"))
        await engine.attach_cache(folder, "c", "mounts[0]")
        await engine.attach_file(path, "c/f", "mounts[1]")
        await (await self.result(engine)).detach_cache(folder)
        self.assertEqual(await self.inside(folder), {"f": b"after"})

    async def test_file_where_a_folder_is(self) -> None:
        """In a cache or a tree: the log says for which of the mounts."""
        folder, path = await self.new_cache({"d/f": "x"}), self.new_file("y")
        for tree in (False, True):
            engine = self.new_engine(self.payloads.prints("x"))
            await (engine.attach_tree(folder, "c", "m", False) if tree else engine.attach_cache(folder, "c", "m"))
            await engine.attach_file(path, "c/d", "mounts[7]")
            error = await self.fails(engine.start(), TaskFailed)
            self.assertIn("mounts[7]", str(error))
            self.assertEqual(await self.inside(folder), {"d/f": b"x"})


class ConflictCases(Attaching):
    """What cannot go together is said before anything is placed."""

    async def test_what_has_one_place(self) -> None:
        """Caches, files and folders."""
        folder, path = await self.new_cache(), self.new_file("x")
        engine = self.new_engine(self.payloads.prints("x"))
        await engine.attach_cache(folder, "a/b", "mounts[0]")
        await self.fails(engine.attach_cache(folder, "a/./b", "mounts[1]"), NamingConflict)
        await self.fails(engine.attach_file(path, "a/b", "mounts[1]"), NamingConflict)
        await self.fails(engine.attach_file(path, "a", "mounts[1]"), NamingConflict)
        await engine.discard()

    async def test_what_would_hide_another(self) -> None:
        """A cache around what is there, and anything in a file."""
        folder, path = await self.new_cache(), self.new_file("x")
        engine = self.new_engine(self.payloads.prints("x"))
        await engine.attach_file(path, "a/b", "mounts[0]")
        await self.fails(engine.attach_cache(folder, "a", "mounts[1]"), NamingConflict)
        await self.fails(engine.attach_tree(folder, "a/b/c", "mounts[1]", False), NamingConflict)
        await self.fails(engine.attach_cache(folder, ".", "mounts[1]"), NamingConflict)
        await engine.discard()

    async def test_what_lies_in_what_cannot_be_changed(self) -> None:
        """And the task's folder must not be that."""
        folder = await self.new_cache()
        engine = self.new_engine(self.payloads.prints("x"))
        await engine.attach_tree(folder, "a", "mounts[0]", True)
        await self.fails(engine.attach_cache(folder, "a/b", "mounts[1]"), NamingConflict)
        await self.fails(engine.attach_tree(folder, ".", "mounts[1]", True), NamingConflict)
        await engine.discard()

    async def test_paths_that_lead_out(self) -> None:
        """Or that no path can be."""
        folder = await self.new_cache()
        engine = self.new_engine(self.payloads.prints("x"))
        for target in ("../a", "a/../../b", "a\0b"):
            await self.fails(engine.attach_cache(folder, target, "mounts[0]"), MalformedPayload)
        await engine.discard()


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()
