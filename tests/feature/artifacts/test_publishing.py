"""What a task leaves behind, published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload, ResourceUnavailable, TaskError, TaskFailed
from tcworker.feature.artifacts import ArtifactsFeature
from tcworker.interfaces import ArchiveFault, Artifact, ErrorArtifact, FileArtifact
from tcworker.task.claim import read_date, write_date
from tcworker.task.payload import PayloadSchema
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.files import Fifo, File, Files, Folder, Link
from tcworker.testing.sandbox import FakeResult
from tests.feature.test_env import CONFIG


class Context(FakeTaskContext):
    """A context whose C{publish} may fail or wait.

    @ivar trouble: errors by the artifact's name.
    @ivar hangs: whether files wait for ever, and in C{waiting} how many do.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.trouble: dict[str, TaskError] = {}
        self.hangs = False
        self.waiting: list[Deferred[None]] = []

    def publish(self, artifact: Artifact) -> Deferred[None]:
        return Deferred.fromCoroutine(self.try_to_publish(artifact))

    async def try_to_publish(self, artifact: Artifact) -> None:
        if artifact.name in self.trouble:
            raise self.trouble[artifact.name]
        if self.hangs:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        await super().publish(artifact)


class ArtifactsTest(SynchronousTestCase):
    """A task that left some files."""

    def setUp(self) -> None:
        self.context = Context(Clock())
        self.addCleanup(self.context.close)
        self.files = Files()
        self.result = FakeResult(files=self.files)

    def make(self, *paths: str) -> None:
        for path in paths:
            self.files.make(path, File(path.encode()))

    def wants(self, *entries: Mapping[str, Any]) -> None:
        self.context.payload = {"artifacts": list(entries)}
        PayloadSchema({"artifacts": ArtifactsFeature.schema}).check(self.context.payload)

    def upload(self) -> Deferred[None]:
        feature = ArtifactsFeature(Clock(), CONFIG).for_task(self.context)
        assert feature is not None
        return feature.upload(self.result)

    def uploaded(self) -> None:
        self.successResultOf(self.upload())

    def failed(self, kind: type[TaskError] = TaskFailed) -> str:
        return str(self.failureResultOf(self.upload(), kind).value)

    @property
    def log(self) -> str:
        return self.context.log.text

    def reasons(self) -> dict[str, str]:
        return {a.name: a.reason for a in self.context.published if isinstance(a, ErrorArtifact)}


class Publishing(ArtifactsTest):
    """What there is."""

    def test_a_file(self) -> None:
        self.make("build/a.txt")
        self.wants({"type": "file", "path": "build/a.txt", "name": "public/a.txt"})
        self.uploaded()
        self.assertEqual(self.context.contents, {"public/a.txt": b"build/a.txt"})
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

    def test_the_name_is_the_path_as_it_stands(self) -> None:
        self.make("a")
        self.wants({"type": "file", "path": "./a"})
        self.uploaded()
        self.assertEqual(list(self.context.contents), ["./a"])

    def test_a_folder(self) -> None:
        self.make("build/a", "build/sub/b")
        self.wants({"type": "directory", "path": "build", "name": "./public//x/"})
        self.uploaded()
        self.assertEqual(self.context.contents, {"public/x/a": b"build/a", "public/x/sub/b": b"build/sub/b"})

    def test_the_task_s_own_folder(self) -> None:
        self.make("a")
        self.wants({"type": "directory", "path": "."})
        self.uploaded()
        self.assertEqual(list(self.context.contents), ["a"])

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
        self.assertEqual(len(self.context.contents), 1050)
        self.assertLess(self.log.count("\n"), 15)

    def test_few_files_are_in_hand_at_a_time(self) -> None:
        self.make(*(f"build/{number}" for number in range(50)), "a")
        self.context.hangs = True
        self.wants({"type": "directory", "path": "build"}, {"type": "file", "path": "a"})
        uploading = self.upload()
        self.assertEqual(len(self.context.waiting), 10)
        for number in range(51):
            self.context.waiting[number].callback(None)
        self.successResultOf(uploading)
        self.assertEqual(len(self.context.contents), 51)

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


class Missing(ArtifactsTest):
    """What there is not."""

    def test_the_reasons(self) -> None:
        self.make("file")
        self.files.make("folder", Folder())
        self.files.make("secret", File(b"", readable=False))
        self.files.make("closed", Folder(readable=False))
        self.wants(
            {"type": "file", "path": "nothing"},
            {"type": "file", "path": "folder"},
            {"type": "file", "path": "secret"},
            {"type": "directory", "path": "no-folder"},
            {"type": "directory", "path": "file"},
            {"type": "directory", "path": "closed"},
        )
        self.failed()
        self.assertEqual(
            self.reasons(),
            {
                "nothing": "file-missing-on-worker",
                "folder": "invalid-resource-on-worker",
                "secret": "file-not-readable-on-worker",
                "no-folder": "file-missing-on-worker",
                "file": "invalid-resource-on-worker",
                "closed": "file-not-readable-on-worker",
            },
        )

    def test_the_task_fails_and_its_log_says_why(self) -> None:
        self.wants({"type": "file", "path": "nothing", "name": "public/x"})
        self.assertIn("public/x", self.failed())
        self.assertIn(
            "[taskcluster:error] TASK FAILURE during artifact upload: public/x: file-missing-on-worker: ", self.log
        )

    def test_an_optional_one_does_not_fail_the_task(self) -> None:
        self.wants({"type": "file", "path": "nothing", "optional": True})
        self.uploaded()
        self.assertEqual(self.reasons(), {"nothing": "file-missing-on-worker"})
        self.assertNotIn("[taskcluster:error]", self.log)
        self.assertIn("] Optional artifact nothing is missing: file-missing-on-worker: ", self.log)

    def test_an_entry_of_a_folder(self) -> None:
        self.make("build/a", "build/z")
        self.files.make("build/pipe", Fifo())
        self.files.make("build/dangling", Link("nowhere"))
        self.wants({"type": "directory", "path": "build", "name": "public"})
        self.failed()
        self.assertEqual(list(self.context.contents), ["public/a", "public/z"])
        self.assertEqual(set(self.reasons()), {"public/pipe", "public/dangling"})

    def test_one_failure_does_not_stop_the_others(self) -> None:
        self.make("b", "folder/c")
        self.context.trouble["b"] = ResourceUnavailable("storage away")
        self.wants(
            {"type": "file", "path": "a"}, {"type": "file", "path": "b"}, {"type": "directory", "path": "folder"}
        )
        self.assertIn("storage away", self.failed(ResourceUnavailable))
        self.assertEqual(list(self.context.contents), ["folder/c"])

    def test_an_upload_of_an_optional_one_that_fails(self) -> None:
        self.make("a")
        self.context.trouble["a"] = ResourceUnavailable("storage away")
        self.wants({"type": "file", "path": "a", "optional": True})
        self.uploaded()
        self.assertIn("storage away", self.log)

    def test_an_error_artifact_that_the_queue_does_not_take(self) -> None:
        self.context.trouble["a"] = MalformedPayload("it has a file of that name")
        self.wants({"type": "file", "path": "a"})
        self.assertNotIn("of that name", self.failed())

    def test_a_name_that_the_queue_does_not_know(self) -> None:
        self.make("build/é", "build/a")
        self.wants({"type": "directory", "path": "build"})
        self.assertIn("build/é", self.failed())
        self.assertEqual(list(self.context.contents), ["build/a"])

    def test_very_many_faults_are_not_all_told(self) -> None:
        for number in range(500):
            self.files.make(f"build/{number}", Fifo())
        self.wants({"type": "directory", "path": "build"})
        self.assertLess(self.failed().count("\n"), 30)
        self.assertLess(self.log.count("\n"), 30)
        self.assertEqual(len(self.reasons()), 500)

    def test_giving_up(self) -> None:
        self.make("build/a", "build/b", "c")
        self.context.hangs = True
        for entry in {"type": "directory", "path": "build"}, {"type": "file", "path": "c"}:
            self.wants(entry)
            uploading = self.upload()
            uploading.cancel()
            self.failureResultOf(uploading, CancelledError)
        self.assertEqual(self.context.published, [])


class Judging(ArtifactsTest):
    """What is refused before anything runs."""

    def refused(self, *entries: Mapping[str, Any]) -> tuple[str, ...]:
        self.context.payload = {"artifacts": list(entries)}
        error = self.assertRaises(MalformedPayload, self.judge)
        return cast(MalformedPayload, error).messages

    def judge(self) -> None:
        PayloadSchema({"artifacts": ArtifactsFeature.schema}).check(self.context.payload)
        ArtifactsFeature(Clock(), CONFIG).for_task(self.context)

    def entry(self, seconds: float, name: str = "x") -> Mapping[str, Any]:
        expires = self.context.deadline + timedelta(seconds=seconds)
        return {"type": "file", "path": name, "expires": write_date(expires)}

    def test_the_window_of_expiry(self) -> None:
        last = (self.context.expires - self.context.deadline).total_seconds()
        self.wants(self.entry(-1), self.entry(last + 1, "y"))
        self.judge()
        self.assertIn("'x' expires before task deadline", self.refused(self.entry(-1.5))[0])
        self.assertIn("'x' expires after task expiry", self.refused(self.entry(last + 1.5))[0])

    def test_a_task_that_expires_when_all_dates_end(self) -> None:
        self.context.expires = read_date("9999-12-31T23:59:59.999Z")
        self.context.deadline = read_date("0001-01-01T00:00:00.000Z")
        self.wants({"type": "file", "path": "x", "expires": write_date(self.context.expires)})
        self.judge()

    def test_a_name_twice(self) -> None:
        (fault,) = self.refused({"type": "file", "path": "a"}, {"type": "directory", "path": "b", "name": "a"})
        self.assertTrue(fault.startswith("payload.artifacts[1]"))

    def test_an_entry_twice(self) -> None:
        entry = {"type": "file", "path": "a"}
        (fault,) = self.refused(entry, entry)
        self.assertIn("'a' of payload.artifacts[0]", fault)

    def test_all_faults_at_once(self) -> None:
        self.assertEqual(len(self.refused(self.entry(-5, "a"), self.entry(-5, "b"))), 2)

    def test_a_name_that_the_queue_does_not_know(self) -> None:
        self.assertIn("'é'", self.refused({"type": "file", "path": "é"})[0])
        self.wants({"type": "file", "path": "é", "name": "e"})
        self.judge()

    def test_the_schema(self) -> None:
        for wrong in (
            {"type": "volume", "path": "a"},
            {"type": "file"},
            {"type": "file", "path": "a", "contentEncoding": "br"},
            {"type": "file", "path": "a", "expires": "soon"},
            {"type": "file", "path": "a", "optinal": True},
        ):
            self.assertTrue(self.refused(wrong)[0].startswith("payload.artifacts[0]"))
