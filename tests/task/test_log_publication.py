"""How a log leaves the machine at a run's end, and what becomes of one that cannot."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload, NamingConflict, ResourceUnavailable
from tcworker.interfaces import Artifact, LinkArtifact
from tcworker.task.log import TaskLog
from tcworker.task.log_names import LogNames
from tcworker.task.log_publication import LogPublication
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

    def test_its_last_lines_say_why_the_run_ends(self) -> None:
        self.log.write(b"an unfinished line")
        self.publication.explain("first why\nand how")
        self.publish()
        pieces: list[bytes] = []
        self.log.follow(pieces.append)
        lines = b"".join(pieces).decode().splitlines()
        self.assertEqual(lines, ["an unfinished line", "[taskcluster:error] first why", "[taskcluster:error] and how"])
