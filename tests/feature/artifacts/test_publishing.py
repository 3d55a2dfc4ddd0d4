"""What a task leaves behind, published (contracts of generic-worker, 3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.internet.task import Clock

from tcworker.errors import ResourceUnavailable
from tcworker.feature.artifacts.feature import ArtifactsFeature
from tcworker.interfaces import ArchiveFault, FileArtifact
from tcworker.task.claim import write_date
from tcworker.testing.files import Files, Folder, Link
from tcworker.testing.sandbox import FakeResult
from tests.feature.artifacts.case import ArtifactsTest
from tests.feature.harness import CONFIG


class Publishing(ArtifactsTest):
    """What there is."""

    def test_a_file(self) -> None:
        self.make("build/a.txt")
        self.wants({"type": "file", "path": "build/a.txt", "name": "public/a.txt"})
        self.uploaded()
        self.assertEqual(self.context.stored, {"public/a.txt": b"build/a.txt"})
        (artifact,) = self.context.published
        self.assertEqual(artifact.expires, self.context.expires)
        self.assertEqual(self.log.count("public/a.txt"), 1)

    def test_what_the_payload_says_of_it(self) -> None:
        self.make("a.txt")
        expires = self.context.deadline + timedelta(minutes=1)
        self.wants(
            {
                "type": "file",
                "path": "a.txt",
                "expires": write_date(expires),
                "contentType": "x/y",
                "contentEncoding": "identity",
            }
        )
        self.uploaded()
        (artifact,) = self.context.published
        assert isinstance(artifact, FileArtifact)
        self.assertEqual(
            (artifact.name, artifact.expires, artifact.content_type, artifact.content_encoding),
            ("a.txt", expires, "x/y", "identity"),
        )

    def test_a_second_after_the_task_expires_is_when_the_task_expires(self) -> None:
        self.make("a")
        expires = write_date(self.context.expires + timedelta(seconds=1))
        self.wants(*({"type": "file", "path": path, "expires": expires, "optional": True} for path in ("a", "b")))
        self.uploaded()
        self.assertEqual([each.expires for each in self.context.published], [self.context.expires] * 2)

    def test_the_name_is_the_path_as_it_stands(self) -> None:
        self.make("a")
        self.wants({"type": "file", "path": "./a"})
        self.uploaded()
        self.assertEqual(list(self.context.stored), ["./a"])

    def test_a_folder(self) -> None:
        self.make("build/a", "build/sub/b")
        self.wants({"type": "directory", "path": "build", "name": "./public//x/"})
        self.uploaded()
        self.assertEqual(self.context.stored, {"public/x/a": b"build/a", "public/x/sub/b": b"build/sub/b"})

    def test_names_of_a_folder_s_files_are_joined_and_cleaned(self) -> None:
        self.make("/srv/out/a")
        for name, found in {
            "/srv/out": "/srv/out/a",
            "//x": "/x/a",
            "x/../y": "y/a",
            ".": "a",
            "": "/srv/out/a",
        }.items():
            self.wants({"type": "directory", "path": "/srv/out", "name": name})
            self.uploaded()
            self.assertEqual(self.context.published.pop().name, found)

    def test_an_absolute_path_is_absolute_and_the_name_too(self) -> None:
        self.make("/srv/a", "srv/a")
        self.wants({"type": "file", "path": "/srv/a"}, {"type": "file", "path": "srv/a"})
        self.uploaded()
        self.assertEqual(self.context.stored, {"/srv/a": b"/srv/a", "srv/a": b"srv/a"})

    def test_links_are_followed_also_to_the_folder_itself(self) -> None:
        self.make("real/a")
        self.files.make("link", Link("real"))
        self.wants({"type": "directory", "path": "link"}, {"type": "file", "path": "link/a", "name": "b"})
        self.uploaded()
        self.assertEqual(self.context.stored, {"link/a": b"real/a", "b": b"real/a"})

    def test_the_task_s_own_folder(self) -> None:
        self.make("a")
        self.wants({"type": "directory", "path": "."})
        self.uploaded()
        self.assertEqual(list(self.context.stored), ["a"])

    def test_an_empty_folder_is_nothing_and_no_fault(self) -> None:
        self.files.make("build", Folder())
        self.wants({"type": "directory", "path": "build"})
        self.uploaded()
        self.assertEqual(self.context.published, [])

    def test_a_task_without_artifacts(self) -> None:
        self.assertIsNone(ArtifactsFeature(Clock(), CONFIG).for_task(self.context))

    def test_many_files_make_few_lines(self) -> None:
        self.make(*(f"build/{number:04}" for number in range(1050)))
        self.wants({"type": "directory", "path": "build"})
        self.uploaded()
        self.assertEqual(len(self.context.stored), 1050)
        self.assertLess(self.log.count("\n"), 15)

    def test_many_single_files_make_few_lines(self) -> None:
        self.make(*(f"{number:04}" for number in range(1000)))
        self.wants(*({"type": "file", "path": f"{number:04}"} for number in range(1000)))
        self.uploaded()
        self.assertEqual(self.log.count("\n"), 109)

    def test_artifacts_come_in_the_order_of_their_names(self) -> None:
        self.make("a", "c", "b/x")
        self.wants({"type": "file", "path": "c"}, {"type": "directory", "path": "b"}, {"type": "file", "path": "a"})
        self.uploaded()
        self.assertEqual(list(self.context.stored), ["a", "b/x", "c"])

    def test_few_files_are_in_hand_at_a_time(self) -> None:
        self.make(*(f"build/{number}" for number in range(50)), "a")
        self.context.hangs = True
        self.wants({"type": "directory", "path": "build"}, {"type": "file", "path": "a"})
        uploading = self.upload()
        # Ten of them: more at a time made uploads fail (trap 8).
        self.assertEqual(len(self.context.waiting), 10)
        for number in range(51):
            self.context.waiting[number].callback(None)
        self.successResultOf(uploading)
        self.assertEqual(len(self.context.stored), 51)

    def test_every_file_is_closed(self) -> None:
        closed: list[str] = []
        self.make("build/a", "build/b", "c")
        self.wants({"type": "directory", "path": "build"}, {"type": "file", "path": "c"})
        self.context.trouble["build/b"] = ResourceUnavailable("no")
        self.patch(FakeResult, "archive_file", _closing(FakeResult.archive_file, closed))
        archive = Files.archive_folder

        def watched(files: Files, path: str) -> Any:
            for entry in archive(files, path):
                if not isinstance(entry, ArchiveFault):
                    entry.close = lambda name=entry.path: closed.append(name)  # type: ignore[method-assign,misc]
                yield entry

        self.patch(Files, "archive_folder", watched)
        self.failureResultOf(self.upload())
        self.assertEqual(set(closed), {"a", "b", "c"})


def _closing(archive: Any, closed: list[str]) -> Any:
    def archive_file(result: FakeResult, path: str) -> Any:
        def watch(file: Any) -> Any:
            file.close = lambda: closed.append(path)
            return file

        return archive(result, path).addCallback(watch)

    return archive_file
