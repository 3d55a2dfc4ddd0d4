"""What the feature of live logs publishes, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import ResourceUnavailable
from tcworker.interfaces import Artifact, ReferenceArtifact
from tcworker.server.live_log_feature import LiveLogFeature
from tcworker.server.live_log_resource import LiveLogs
from tcworker.testing.context import FakeTaskContext
from tcworker.waiting import now

NOTHING = cast(Any, None)
"""The engine and the result, which the feature does not look at."""


class LiveLogFeatureCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.logs = LiveLogs(self.mktemp(), self.reactor)
        self.context = FakeTaskContext(self.reactor)

    def load(self) -> Any:
        run = LiveLogFeature(self.logs, "https://tc.example.com").for_task(self.context)
        assert run is not None
        self.successResultOf(run.load(NOTHING))
        return run

    def published(self) -> ReferenceArtifact:
        [artifact] = self.context.published
        assert isinstance(artifact, ReferenceArtifact)
        return artifact

    def is_open(self, url: str) -> bool:
        return url.removeprefix("https://tc.example.com") in self.logs._logs


class ARun(LiveLogFeatureCase):
    def test_has_an_address_under_the_name_of_its_live_log(self) -> None:
        self.load()
        artifact = self.published()
        self.assertEqual(artifact.name, "public/logs/live.log")
        self.assertEqual(artifact.content_type, "text/plain; charset=utf-8")
        self.assertTrue(self.is_open(artifact.url))

    def test_may_give_its_live_log_another_name(self) -> None:
        self.context.payload = {"logs": {"live": "private/now.log", "backing": "private/all.log"}}
        self.load()
        self.assertEqual(self.published().name, "private/now.log")

    def test_keeps_its_address_no_longer_than_it_may_run_and_be_published(self) -> None:
        """Though the task wants no log at the end, and so no link that takes its place."""
        self.context.payload = {"maxRunTime": 60, "features": {"backingLog": False}}
        self.load()
        self.assertEqual(self.published().expires, now(self.reactor) + timedelta(seconds=60 + 900))

    def test_keeps_its_address_no_longer_than_the_task_is_kept(self) -> None:
        self.context.payload = {"maxRunTime": 10**9}
        self.load()
        self.assertEqual(self.published().expires, self.context.expires)

    def test_has_no_address_where_they_are_switched_off(self) -> None:
        feature = LiveLogFeature(self.logs, "https://tc.example.com")
        feature.enabled = False
        self.assertIsNone(feature.for_task(self.context))

    def test_may_want_none(self) -> None:
        self.context.payload = {"features": {"liveLog": False}}
        self.assertIsNone(LiveLogFeature(self.logs, "https://tc.example.com").for_task(self.context))

    def test_has_no_address_any_more_when_it_is_over(self) -> None:
        run = self.load()
        self.successResultOf(run.cleanup())
        self.assertFalse(self.is_open(self.published().url))

    def test_that_never_started_leaves_nothing(self) -> None:
        run = LiveLogFeature(self.logs, "https://tc.example.com").for_task(self.context)
        assert run is not None
        self.successResultOf(run.cleanup())
        self.assertEqual(self.context.published, [])


class Trouble(LiveLogFeatureCase):
    def publish_with(self, result: Deferred[None]) -> None:
        def publish(artifact: Artifact) -> Deferred[None]:
            return result

        self.context.publish = publish  # type: ignore[method-assign]  # of one object

    def test_without_an_address_the_task_runs_all_the_same(self) -> None:
        failure: Deferred[None] = Deferred()
        self.publish_with(failure)
        run = self.load()
        failure.errback(ResourceUnavailable("the queue is away"))
        self.successResultOf(run.upload(NOTHING))
        self.assertEqual(self.context.errors, [])
        self.assertEqual(len(self.flushLoggedErrors(ResourceUnavailable)), 0)

    def test_an_address_that_is_late_is_given_up_before_the_link_is_published(self) -> None:
        cancelled: list[object] = []
        self.publish_with(Deferred(cancelled.append))
        run = self.load()
        self.successResultOf(run.upload(NOTHING))
        self.assertEqual(len(cancelled), 1)

    def test_an_end_without_results_gives_it_up_too(self) -> None:
        cancelled: list[object] = []
        self.publish_with(Deferred(cancelled.append))
        run = self.load()
        self.successResultOf(run.cleanup())
        self.assertEqual(len(cancelled), 1)

    def test_an_address_that_is_published_needs_no_more_care(self) -> None:
        self.publish_with(succeed(None))
        run = self.load()
        self.successResultOf(run.upload(NOTHING))
        self.successResultOf(run.cleanup())
