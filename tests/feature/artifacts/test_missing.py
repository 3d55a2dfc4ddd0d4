"""What a task was to leave behind and did not (contracts of generic-worker, 3)."""

from __future__ import annotations

from typing import Any

from tcworker.errors import MalformedPayload, ResourceUnavailable
from tcworker.testing.files import Fifo, File, Files, Folder, Link
from tests.feature.artifacts.case import ArtifactsTest


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

    def test_the_task_fails_by_the_first_in_the_words_of_its_log(self) -> None:
        """So that who reads the log is told of it once."""
        self.wants({"type": "file", "path": "a"}, {"type": "file", "path": "b"})
        error = self.failed()
        self.assertIn("upload: a: file-missing-on-worker", error)
        told = [line for line in self.log.splitlines() if line.startswith("[taskcluster:error] ")]
        self.assertEqual((told[0], len(told)), (f"[taskcluster:error] {error}", 2))

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
        self.assertEqual(list(self.context.stored), ["public/a", "public/z"])
        self.assertEqual(set(self.reasons()), {"public/pipe", "public/dangling"})

    def test_one_failure_does_not_stop_the_others(self) -> None:
        self.make("b", "folder/c")
        self.context.trouble["b"] = ResourceUnavailable("storage away")
        self.wants(
            {"type": "file", "path": "a"}, {"type": "file", "path": "b"}, {"type": "directory", "path": "folder"}
        )
        self.assertIn("storage away", self.failed(ResourceUnavailable))
        self.assertEqual(list(self.context.stored), ["folder/c"])

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
        self.assertEqual(list(self.context.stored), ["build/a"])

    def test_very_many_faults_are_not_all_told(self) -> None:
        for number in range(500):
            self.files.make(f"build/{number}", Fifo())
        self.wants({"type": "directory", "path": "build"})
        self.assertLess(self.failed().count("\n"), 30)
        self.assertLess(self.log.count("\n"), 30)
        self.assertEqual(len(self.reasons()), 500)
        self.assertIn("[taskcluster:error] so it is with 480 more artifacts\n", self.log)

    def test_the_gravest_counts_however_late_it_comes(self) -> None:
        self.make("z")
        self.context.trouble["z"] = ResourceUnavailable("storage away")
        self.wants(*({"type": "file", "path": f"{number}"} for number in range(100)), {"type": "file", "path": "z"})
        self.assertEqual(self.failed(ResourceUnavailable), "TASK FAILURE during artifact upload: z: storage away")

    def test_nor_are_those_of_very_many_entries(self) -> None:
        self.wants(*({"type": "file", "path": f"{number}", "optional": number % 2 == 0} for number in range(1000)))
        self.assertLess(self.failed().count("\n"), 30)
        self.assertLess(self.log.count("\n"), 50)
        self.assertEqual(len(self.reasons()), 1000)

    def test_directories_that_are_not_there_keep_no_hand_from_the_others(self) -> None:
        self.make("build/a", "b")
        missing = [{"type": "directory", "path": f"no{number}"} for number in range(20)]
        self.wants(*missing, {"type": "directory", "path": "build"}, {"type": "file", "path": "b"})
        self.failed()
        self.assertEqual(sorted(self.context.stored), ["b", "build/a"])

    def test_what_a_name_is_made_of_stays_in_its_line(self) -> None:
        self.make("build/a\nb", "build/\udcff", "build/" + "x" * 255)
        self.wants({"type": "directory", "path": "build", "name": "public"})
        self.assertNotIn("\n", self.failed())
        for shown in ("public/a\\x0ab", "public/\\xff"):
            self.assertIn(f"[taskcluster:error] TASK FAILURE during artifact upload: {shown}: ", self.log)
        self.assertEqual(self.log.count("[taskcluster:error]"), 2)
        self.assertEqual(list(self.context.stored), ["public/" + "x" * 255])

    def test_a_name_that_is_longer_than_the_queue_knows(self) -> None:
        self.make("/".join(["x" * 200] * 6))
        self.wants({"type": "directory", "path": "."})
        self.assertIn("…", self.failed())
        self.assertEqual(self.context.published, [])

    def test_a_file_that_became_shorter(self) -> None:
        self.make("a")
        archive = Files.archive_file

        def cut_short(files: Files, path: str) -> Any:
            file = archive(files, path)
            files.make(path, File(b""))
            return file

        self.patch(Files, "archive_file", cut_short)
        self.wants({"type": "file", "path": "a"})
        self.assertIn("a became shorter: it has 0 of 1 bytes", self.failed())
        self.assertEqual(self.reasons(), {"a": "invalid-resource-on-worker"})

    def test_giving_up(self) -> None:
        self.make("build/a", "build/b", "c")
        self.context.hangs = True
        for entry in {"type": "directory", "path": "build"}, {"type": "file", "path": "c"}:
            self.wants(entry)
            self.give_up(self.upload())
        self.assertEqual(self.context.published, [])
