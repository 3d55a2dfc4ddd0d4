"""Names that clash, that several entries cover, or that are not theirs (contracts of generic-worker, 3)."""

from __future__ import annotations

from tcworker.errors import MalformedPayload, NamingConflict
from tcworker.interfaces import Artifact, FileArtifact
from tcworker.testing.files import Fifo
from tests.feature.artifacts.case import ArtifactsTest

TOLD = "TASK FAILURE during artifact upload:"
PUBLIC = {"type": "directory", "path": "public"}
LOG = "public/logs/live_backing.log"


class Covered(ArtifactsTest):
    """Files that are listed twice."""

    def types(self) -> dict[str, str | None]:
        return {each.name: each.content_type for each in self.context.published if isinstance(each, FileArtifact)}

    def test_a_file_of_a_folder_that_is_listed_by_itself_too(self) -> None:
        self.make("public/a", "public/b")
        self.wants(PUBLIC, {"type": "file", "path": "./public/a", "name": "public/a", "contentType": "x/y"})
        self.uploaded()
        self.assertEqual(self.types(), {"public/a": "x/y", "public/b": None})
        self.assertEqual(len(self.context.published), 2)

    def test_a_folder_in_a_folder(self) -> None:
        self.make("public/a", "public/deep/b", "public/deep/er/c")
        self.wants(
            {**PUBLIC, "path": ".", "name": "."},
            {**PUBLIC, "path": "public/deep", "contentType": "x/deep"},
            {**PUBLIC, "contentType": "x/public"},
        )
        self.uploaded()
        self.assertEqual(
            self.types(), {"public/a": "x/public", "public/deep/b": "x/deep", "public/deep/er/c": "x/deep"}
        )
        self.assertEqual(len(self.context.published), 3)

    def test_what_it_lacks_is_told_once(self) -> None:
        self.files.make("public/pipe", Fifo())
        self.wants(PUBLIC, {"type": "file", "path": "public/pipe", "optional": True})
        self.uploaded()
        self.assertEqual(list(self.reasons()), ["public/pipe"])

    def test_two_folders_with_one_beginning(self) -> None:
        self.make("one/a", "two/b")
        self.wants(*({"type": "directory", "path": path, "name": "public"} for path in ("one", "two")))
        self.uploaded()
        self.assertEqual(set(self.context.stored), {"public/a", "public/b"})


class Clashing(ArtifactsTest):
    """Names that two files want."""

    def test_a_file_s_and_that_of_a_file_in_a_folder(self) -> None:
        self.make("out/a", "out/b", "else")
        self.wants({**PUBLIC, "path": "out"}, {"type": "file", "path": "else", "name": "out/a"})
        error = self.failed(NamingConflict)
        self.assertEqual(error, f"{TOLD} out/a: else and out/a both have the name out/a; give them two")
        self.assertEqual(self.context.stored, {"out/a": b"else", "out/b": b"out/b"})

    def test_those_of_files_in_two_folders(self) -> None:
        self.make("one/a", "one/b", "two/a", "two/c")
        self.wants(*({"type": "directory", "path": path, "name": "public"} for path in ("one", "two")))
        publish = self.context.try_to_publish

        async def once(artifact: Artifact) -> None:
            if artifact.name in self.context.stored:
                raise NamingConflict(f"two artifacts have the name {artifact.name}")
            await publish(artifact)

        self.patch(self.context, "try_to_publish", once)
        error = self.failed(MalformedPayload)
        self.assertEqual(error, f"{TOLD} public/a: one/a and two/a have one name; give them two")
        self.assertEqual(set(self.context.stored), {"public/a", "public/b", "public/c"})


class Reserved(ArtifactsTest):
    """Names that are the worker's."""

    def setUp(self) -> None:
        super().setUp()
        self.context.reserve(LOG)

    def test_a_file_in_a_folder_is_skipped_with_a_warning(self) -> None:
        self.make(LOG, "public/a")
        self.wants(PUBLIC)
        self.uploaded()
        self.assertEqual(list(self.context.stored), ["public/a"])
        self.assertIn("[taskcluster:warn", self.log)
        self.assertIn(f"artifact {LOG} is left out", self.log)

    def test_a_file_is_skipped_whether_it_is_there_or_not(self) -> None:
        self.wants({"type": "file", "path": LOG})
        self.uploaded()
        self.assertEqual(self.context.published, [])
        self.assertNotIn("[taskcluster:error]", self.log)

    def test_what_a_feature_reserved_too(self) -> None:
        self.make("public/chain-of-trust.json")
        self.context.reserve("public/chain-of-trust.json")
        self.wants(PUBLIC)
        self.uploaded()
        self.assertEqual(self.context.published, [])
