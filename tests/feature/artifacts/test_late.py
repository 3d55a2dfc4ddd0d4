"""Artifacts of a task whose worker must go: what is small comes first, what does not come has somebody say so."""

from __future__ import annotations

from typing import Any

from tcworker.errors import ResourceUnavailable, TooLate
from tcworker.feature.artifacts import entry
from tcworker.feature.artifacts.entry import TOO_LATE
from tcworker.feature.artifacts.feature import late_at_once
from tcworker.interfaces import Artifact, ErrorArtifact
from tcworker.task import speed
from tcworker.testing.files import Fifo, File
from tcworker.testing.sandbox import FakeResult
from tests.feature.artifacts.case import ArtifactsTest

SECOND = 1000
"""Bytes that take a second."""

OUT = {"type": "directory", "path": "out"}


class Late(ArtifactsTest):
    """Ten seconds, of which files have five."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(speed, "ASSUMED", float(SECOND))
        self.context.haste.begin(10.0)

    def leave(self, **sizes: int) -> None:
        for name, size in sizes.items():
            self.files.make(f"out/{name}", File(b"x" * size))

    def test_small_ones_come_before_large_ones(self) -> None:
        self.leave(a=3, b=1, c=2)
        self.make("z", "out.log")
        self.wants(OUT, {"type": "file", "path": "out.log", "name": "public/y"}, {"type": "file", "path": "z"})
        self.uploaded()
        self.assertEqual(list(self.context.stored), ["out/b", "z", "out/c", "out/a", "public/y"])

    def test_one_that_would_come_too_late_has_an_error_artifact_that_says_so(self) -> None:
        self.leave(large=6 * SECOND, small=1)
        self.wants(OUT)
        self.assertIn("5 s for it, and it would take 6 s at 0.001 MB/s", self.failed(TooLate))
        self.assertEqual((list(self.context.stored), self.reasons()), (["out/small"], {"out/large": TOO_LATE}))
        (error,) = [each for each in self.context.published if isinstance(each, ErrorArtifact)]
        self.assertIn("the worker must go", error.message)
        self.assertIn("out/large: the worker must go", self.log)

    def test_the_run_ends_before_any_is_published_for_then_the_queue_can_be_told_at_once(self) -> None:
        self.leave(a=SECOND, b=5 * SECOND)
        self.context.hangs = True
        self.wants(OUT)
        uploading = self.upload()
        (error,) = self.context.errors
        self.assertEqual((type(error), str(error).partition(":")[0]), (TooLate, "the worker must go"))
        self.assertEqual((self.context.published, len(self.context.waiting)), ([], 2))
        self.give_up(uploading)

    def test_when_nothing_waits_for_them_any_more_they_have_nearly_all_the_time(self) -> None:
        self.leave(a=SECOND, b=6 * SECOND)
        self.context.haste.report_first()
        self.wants(OUT)
        self.uploaded()
        self.assertEqual(self.context.errors, [])

    def test_optional_ones_end_no_run(self) -> None:
        self.leave(large=6 * SECOND)
        self.wants({**OUT, "optional": True})
        self.uploaded()
        self.assertEqual((self.context.errors, self.reasons()), ([], {"out/large": TOO_LATE}))

    def test_what_is_no_file_is_missing_as_always(self) -> None:
        self.files.make("out/pipe", Fifo())
        self.wants(OUT, {"type": "file", "path": "nothing"})
        self.failed()
        self.assertEqual(set(self.reasons().values()), {"file-missing-on-worker", "invalid-resource-on-worker"})

    def test_a_file_that_is_listed_twice_is_published_once(self) -> None:
        self.leave(a=1)
        self.make("other")
        self.wants(OUT, {"type": "file", "path": "out/a", "contentType": "x/y"})
        self.uploaded()
        (artifact,) = self.context.published
        self.assertEqual((artifact.name, getattr(artifact, "content_type", None)), ("out/a", "x/y"))

    def test_few_are_in_hand_at_a_time(self) -> None:
        self.leave(**{f"f{number}": 1 for number in range(20)})
        self.context.hangs = True
        self.wants(OUT)
        uploading = self.upload()
        self.assertEqual(len(self.context.waiting), 10)
        self.assertEqual([late_at_once(capacity) for capacity in (1, 4, 8, 255)], [10, 10, 5, 2])
        self.give_up(uploading)

    def test_very_many_are_not_all_looked_for(self) -> None:
        self.patch(entry, "MOST_LATE", 3)
        self.leave(**{f"f{number}": 1 for number in range(9)})
        self.wants(OUT)
        self.assertIn("no time to look", self.failed(TooLate))
        self.assertEqual(len(self.context.stored), 3)

    def test_when_the_time_is_over_the_rest_is_not_even_opened(self) -> None:
        self.leave(**{f"f{number:02}": 1 for number in range(12)})
        self.context.hangs = True
        self.wants(OUT)
        uploading = self.upload()
        opened: list[str] = []
        self.patch(FakeResult, "archive_file", lambda result, path: opened.append(path))
        self.context.clock.advance(5)  # type: ignore[attr-defined]  # it is the test's
        self.context.hangs = False
        self.context.waiting[0].callback(None)
        self.assertEqual((opened, sorted(self.reasons())), ([], ["out/f00", "out/f10", "out/f11"]))
        self.give_up(uploading)

    def test_giving_up(self) -> None:
        self.leave(a=1, b=1)
        self.context.hangs = True
        self.wants(OUT)
        self.give_up(self.upload())
        self.assertEqual(self.context.published, [])


class Overtaken(ArtifactsTest):
    """A worker that must go in the middle."""

    def test_what_is_on_its_way_goes_on_and_small_ones_do_not_wait_for_it(self) -> None:
        for number in range(12):
            self.files.make(f"out/f{number:02}", File(b"x" * (100 - number)))
        self.context.hangs = True
        self.wants(OUT)
        uploading = self.upload()
        self.assertEqual(len(self.context.waiting), 10)
        self.context.hangs = False
        self.context.haste.begin(10.0)
        self.assertEqual(list(self.context.stored), ["out/f11", "out/f10"])
        for waiting in self.context.waiting:
            waiting.callback(None)
        self.successResultOf(uploading)
        self.assertEqual(len(self.context.stored), 12)

    def test_files_that_wait_for_a_hand_are_late_too(self) -> None:
        for number in range(15):
            self.files.make(f"f{number:02}", File(b"x" * (100 - number)))
        self.context.hangs = True
        self.wants(*({"type": "file", "path": f"f{number:02}"} for number in range(15)))
        uploading = self.upload()
        self.context.hangs = False
        self.context.haste.begin(10.0)
        self.assertEqual(list(self.context.stored), ["f14", "f13", "f12", "f11", "f10"])
        self.give_up(uploading)

    def test_one_that_is_cut_in_the_middle_ends_the_run_at_once(self) -> None:
        self.make("a")
        self.context.hangs = True
        self.wants({"type": "file", "path": "a"})
        uploading = self.upload()
        self.context.hangs = False
        self.context.haste.begin(10.0)
        self.context.waiting[0].errback(TooLate("it would take an hour"))
        self.failureResultOf(uploading, TooLate)
        self.assertEqual(str(self.context.errors[0]), "it would take an hour")


class Unforeseen(ArtifactsTest):
    """What nobody foresaw about one file is not taken for success."""

    def test_of_a_folder_s_file(self) -> None:
        self.make("build/a", "build/b")
        plain = self.context.try_to_publish

        async def broken(artifact: Artifact) -> Any:
            if artifact.name == "build/a":
                raise ZeroDivisionError
            return await plain(artifact)

        self.patch(self.context, "try_to_publish", broken)
        self.wants({"type": "directory", "path": "build"})
        self.assertIn("incident", str(self.failureResultOf(self.upload()).value))
        self.assertEqual(list(self.context.stored), ["build/b"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_a_storage_that_is_away_is_no_success_in_haste_either(self) -> None:
        self.make("a")
        self.context.haste.begin(10.0)
        self.context.trouble["a"] = ResourceUnavailable("refused")
        self.wants({"type": "file", "path": "a"})
        self.assertIn("refused", self.failed(ResourceUnavailable))
