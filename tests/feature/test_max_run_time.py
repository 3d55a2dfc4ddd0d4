"""How long a task may run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload, TaskFailed
from tcworker.feature.max_run_time import MaxRunTimeFeature
from tcworker.interfaces import ITaskFeature
from tcworker.testing.context import FakeTaskContext
from tests.feature.harness import CONFIG

NOTHING = cast(Any, None)


class MaxRunTime(SynchronousTestCase):
    """A task of 60 seconds on a worker that allows 100."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeTaskContext(self.clock, {"maxRunTime": 60})
        self.addCleanup(self.context.close)

    def feature(self) -> ITaskFeature:
        return MaxRunTimeFeature(self.clock, replace(CONFIG, max_task_run_time=100)).for_task(self.context)

    def test_a_task_that_runs_longer_is_ended_as_failed(self) -> None:
        feature = self.feature()
        feature.load(NOTHING)
        self.clock.advance(1000)
        feature.started(NOTHING)
        self.clock.advance(59)
        self.assertEqual(self.context.errors, [])
        self.clock.advance(1)
        (error,) = self.context.errors
        self.assertIsInstance(error, TaskFailed)
        self.assertIn("task aborted - max run time exceeded", str(error))

    def test_uploads_do_not_count(self) -> None:
        feature = self.feature()
        feature.started(NOTHING)
        feature.stopped(NOTHING)
        self.clock.advance(1000)
        self.assertEqual(self.context.errors, [])

    def test_an_aborted_task_leaves_no_timer(self) -> None:
        feature = self.feature()
        feature.started(NOTHING)
        feature.cleanup()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_more_than_the_worker_allows(self) -> None:
        self.context.payload = {"maxRunTime": 101}
        error = self.assertRaises(MalformedPayload, self.feature)
        self.assertIn("task's maxRunTime of 101 exceeded allowed maximum of 100", str(error))

    def test_as_much_as_the_worker_allows(self) -> None:
        self.context.payload = {"maxRunTime": 100}
        self.feature().started(NOTHING)
        self.clock.advance(99)
        self.assertEqual(self.context.errors, [])
        self.clock.advance(1)
        self.assertEqual(len(self.context.errors), 1)
