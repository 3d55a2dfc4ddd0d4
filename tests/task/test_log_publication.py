"""How a log leaves the machine, and what becomes of one that cannot."""

from __future__ import annotations

import gzip
import os
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload, NamingConflict, ResourceUnavailable, TaskError
from tcworker.interfaces import Artifact, LinkArtifact, Publish, ReferenceArtifact
from tcworker.task.checkpoints import FIRST
from tcworker.task.log import TaskLog
from tcworker.task.log_names import LogNames
from tcworker.task.log_publication import LOG_TYPE, LogPublication
from tcworker.task.log_record import LogRecord, RecordFile
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.facilities import NoThreads


class Context(FakeTaskContext):
    """A context whose C{publish} ends as the test says.

    @ivar link: how that of the link does.
    @ivar backing: how that of the log does.
    """

    def __init__(self) -> None:
        super().__init__(Clock())
        self.link: Deferred[None] = Deferred()
        self.backing: Deferred[None] = Deferred()

    def publish(self, artifact: Artifact) -> Deferred[None]:
        return self.link if isinstance(artifact, LinkArtifact) else self.backing


class Refusing(FakeTaskContext):
    """A context that cannot publish some names.

    @ivar refused: why not, by name.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.refused: dict[str, TaskError] = {}

    def reserve(self, name: str) -> Publish:
        publish = super().reserve(name)
        return lambda artifact: fail(self.refused[name]) if name in self.refused else publish(artifact)


class TheLog(SynchronousTestCase):
    """The log, and the link to it."""

    def setUp(self) -> None:
        self.context = Context()
        folder = self.mktemp()
        os.mkdir(folder)
        self.log = TaskLog(folder, self.context.clock, NoThreads(), limit=0, broken=lambda _: None)
        self.addCleanup(lambda: self.log.dispose())
        self.failed: list[Failure] = []
        self.publication = LogPublication(self.context, self.log, self.failed.append)

    def publish(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.publication.publish())

    def kinds(self) -> list[Any]:
        return [failure.type for failure in self.failed]

    def test_one_that_is_dropped_is_not_taken_for_published(self) -> None:
        publishing = self.publish()
        publishing.cancel()
        self.failureResultOf(publishing, CancelledError)
        self.assertEqual((self.failed, self.context.republished), ([], []))

    def test_one_that_cannot_be_published_fails_as_it_is(self) -> None:
        publishing = self.publish()
        self.context.link.callback(None)
        self.context.backing.errback(ResourceUnavailable("the storage is away"))
        self.successResultOf(publishing)
        self.assertEqual(self.kinds(), [ResourceUnavailable])

    def test_a_link_that_cannot_be_published_does_not_keep_the_log_from_it(self) -> None:
        self.context.link = fail(MalformedPayload("the name is taken"))
        publishing = self.publish()
        self.assertNoResult(publishing)
        self.context.backing.callback(None)
        self.successResultOf(publishing)
        self.assertEqual(self.kinds(), [MalformedPayload])

    def test_nobody_else_can_have_its_names(self) -> None:
        context = FakeTaskContext(Clock())
        publication = LogPublication(context, self.log, self.failed.append)
        publication.name_log(LogNames("live", "whole"))
        self.assertRaises(NamingConflict, context.reserve, "live")
        self.assertRaises(NamingConflict, context.reserve, "whole")
        self.successResultOf(Deferred.fromCoroutine(publication.publish()))
        self.assertEqual({artifact.name for artifact in context.published}, {"live", "whole"})
        self.assertEqual(self.failed, [])

    def lines(self) -> list[str]:
        """Publish the log, and give its lines."""
        self.publish()
        pieces: list[bytes] = []
        self.log.follow(pieces.append)
        return b"".join(pieces).decode().splitlines()

    def test_its_last_lines_say_why_the_run_ends(self) -> None:
        self.log.write(b"an unfinished line")
        self.publication.explain("first why\nand how")
        expected = ["an unfinished line", "[taskcluster:error] first why", "[taskcluster:error] and how"]
        self.assertEqual(self.lines(), expected)

    def test_it_names_artifacts_that_may_never_be_whole_and_still_ends_with_why(self) -> None:
        self.context.on_their_way = {"public/a": "PUT https://s: 503", "public/b": ""}
        self.publication.explain("the worker must go")
        *named, last = self.lines()
        self.assertEqual([line.partition("artifact ")[2].split()[0] for line in named], ["public/a", "public/b"])
        self.assertTrue(all("[taskcluster:warn" in line and "in the middle of its upload" in line for line in named))
        self.assertEqual([line.partition("; the last try failed: ")[2] for line in named], ["PUT https://s: 503", ""])
        self.assertEqual(last, "[taskcluster:error] the worker must go")


class WhileItGrows(SynchronousTestCase):
    """What there is of the log, and what leads there."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.context = Refusing(self.clock)
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        record = RecordFile.begin(self.folder, LogRecord(0, self.context.expires), NoThreads())
        self.log = TaskLog(self.folder, self.clock, NoThreads(), limit=0, broken=lambda _: None, record=record)
        self.addCleanup(lambda: self.log.dispose())
        self.failed: list[Failure] = []
        self.publication = LogPublication(self.context, self.log, self.failed.append)

    def begin(self, names: LogNames = LogNames()) -> None:  # noqa: B008  # it is frozen
        self.publication.name_log(names)
        self.publication.keep_up()
        self.log.write(b"printed\n")

    def end(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.publication.publish()))
        self.successResultOf(self.publication.close())

    def live(self) -> list[Artifact]:
        return [artifact for artifact in self.context.published if artifact.name.endswith("live.log")]

    def test_it_is_beside_the_log_and_as_long_lived(self) -> None:
        self.begin(LogNames("a/live.log", "b/c/whole.log"))
        self.clock.advance(FIRST)
        (checkpoint,) = self.context.republished
        self.assertEqual(
            (checkpoint.name, checkpoint.expires, checkpoint.content_type),
            ("b/c/checkpoint.log", self.context.expires, LOG_TYPE),
        )
        self.assertIn(b"printed\n", gzip.decompress(self.context.stored["b/c/checkpoint.log"]))
        self.end()

    def test_the_live_log_leads_to_it_and_in_the_end_to_the_whole(self) -> None:
        self.begin()
        self.clock.advance(FIRST)
        (reference,) = self.live()
        assert isinstance(reference, ReferenceArtifact)
        path = f"/api/queue/v1/task/{self.context.task_id}/runs/0/artifacts/public/logs/checkpoint.log"
        self.assertEqual(reference.url, f"https://tc.example.com{path}")
        self.end()
        self.assertEqual([type(artifact) for artifact in self.live()], [ReferenceArtifact, LinkArtifact])
        # Of another type or a shorter life the link could not take its place.
        self.assertEqual({artifact.expires for artifact in self.live()}, {self.context.expires})

    def test_where_somebody_shows_the_log_nothing_leads_anywhere_else(self) -> None:
        self.begin()
        elsewhere = ReferenceArtifact("public/logs/live.log", self.context.expires, "https://example.com/")
        self.successResultOf(self.context.publish(elsewhere))
        self.clock.advance(FIRST)
        self.assertEqual((len(self.context.republished), self.live()), (1, [elsewhere]))
        self.end()

    def test_a_reference_that_the_queue_does_not_take_is_no_failure(self) -> None:
        self.begin()
        self.context.refused["public/logs/live.log"] = ResourceUnavailable("the queue is away")
        self.clock.advance(FIRST)
        self.assertEqual((len(self.context.republished), self.failed), (1, []))

    def test_nobody_else_can_have_its_name(self) -> None:
        self.begin()
        self.assertTrue(self.context.is_reserved("public/logs/checkpoint.log"))
        self.end()

    def test_a_task_that_wants_no_log_has_none(self) -> None:
        self.begin(LogNames(published=False))
        self.clock.advance(10 * FIRST)
        self.end()
        self.assertEqual((self.context.republished, self.context.published), ([], []))

    def test_a_secret_that_comes_late_is_in_none_of_them(self) -> None:
        self.begin()
        self.log.write(b"it is hunter2\n")
        self.clock.advance(FIRST)
        self.log.mask("hunter2")
        self.end()
        self.assertEqual(len(self.context.republished), 2)
        for name in ("public/logs/checkpoint.log", "public/logs/live_backing.log"):
            self.assertIn(b"it is [masked]\n", gzip.decompress(self.context.stored[name]))

    def test_one_that_is_stored_after_the_log_changes_nothing_of_it(self) -> None:
        self.begin()
        stored: Deferred[None] = Deferred()
        self.patch(self.context, "republish", lambda artifact: stored)
        self.clock.advance(FIRST)
        self.log.write(b"and more\n")
        self.successResultOf(Deferred.fromCoroutine(self.publication.publish()))
        closing = self.publication.close()
        self.assertNoResult(closing)
        stored.callback(None)
        self.successResultOf(closing)
        whole = gzip.decompress(self.context.stored["public/logs/live_backing.log"])
        self.assertEqual(whole, b"printed\nand more\n")
        self.assertEqual([type(artifact) for artifact in self.live()], [LinkArtifact])

    def test_the_next_process_knows_that_a_log_is_published(self) -> None:
        self.begin()
        self.assertFalse(LogRecord.read(self.folder).is_published)
        self.end()
        self.assertTrue(LogRecord.read(self.folder).is_published)

    def test_a_log_that_is_there_already_stays_as_it_is(self) -> None:
        self.begin()
        self.publication.leave_backing()
        self.end()
        self.assertEqual([type(artifact) for artifact in self.context.published], [LinkArtifact])

    def test_one_that_cannot_be_published_is_where_checkpoints_are(self) -> None:
        self.begin()
        self.context.refused["public/logs/live_backing.log"] = ResourceUnavailable("declared already")
        self.end()
        self.assertEqual(gzip.decompress(self.context.stored["public/logs/checkpoint.log"]), b"printed\n")
        self.assertEqual([failure.type for failure in self.failed], [ResourceUnavailable])

    def test_one_that_could_not_be_is(self) -> None:
        self.begin()
        self.context.refused["public/logs/live_backing.log"] = ResourceUnavailable("away")
        self.end()
        self.assertFalse(LogRecord.read(self.folder).is_published)
