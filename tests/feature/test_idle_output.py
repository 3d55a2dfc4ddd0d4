"""How long a task may print nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import TaskFailed
from tcworker.feature.idle_output import IdleOutputFeature
from tcworker.interfaces import ITaskFeature
from tcworker.testing.context import FakeTaskContext
from tests.feature.harness import CONFIG

NOTHING = cast(Any, None)


class IdleOutput(SynchronousTestCase):
    """A task that may be silent for 10 seconds, on a worker that says 30."""

    usual = 30

    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeTaskContext(self.clock, {"idleOutputTimeoutSecs": 10})
        self.addCleanup(self.context.close)

    def start(self) -> ITaskFeature:
        feature = self.for_task()
        assert feature is not None
        feature.started(NOTHING)
        return feature

    def for_task(self) -> ITaskFeature | None:
        config = replace(CONFIG, idle_output_timeout_secs=self.usual)
        return IdleOutputFeature(self.clock, config).for_task(self.context)

    def assert_fails_after(self, seconds: float) -> None:
        self.clock.advance(seconds - 0.1)
        self.assertEqual(self.context.errors, [])
        self.clock.advance(0.2)
        self.assertEqual(len(self.context.errors), 1)

    def test_one_that_prints_nothing_fails_and_says_so(self) -> None:
        self.start()
        self.assert_fails_after(10)
        (error,) = self.context.errors
        self.assertIsInstance(error, TaskFailed)
        self.assertIn("printed nothing for 10 seconds", str(error))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_time_begins_anew_with_each_output(self) -> None:
        self.start()
        self.clock.advance(7)
        self.context.log.write(b".")
        self.assert_fails_after(10)

    def test_what_the_worker_says_is_no_output(self) -> None:
        self.start()
        self.clock.advance(7)
        self.context.log.info("still here")
        self.assert_fails_after(3)

    def test_the_time_before_it_runs_does_not_count(self) -> None:
        feature = self.for_task()
        self.clock.advance(100)
        assert feature is not None
        feature.started(NOTHING)
        self.assert_fails_after(10)

    def test_without_a_time_of_its_own_the_worker_s_holds(self) -> None:
        self.context.payload = {}
        self.start()
        self.assert_fails_after(30)

    def test_a_worker_that_says_never(self) -> None:
        self.usual = 0
        self.assertIsNotNone(self.for_task())
        self.context.payload = {}
        self.assertIsNone(self.for_task())

    def test_uploads_may_be_silent(self) -> None:
        self.start().stopped(NOTHING)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_aborted_task_leaves_no_timer(self) -> None:
        self.start().cleanup()
        self.assertEqual(self.clock.getDelayedCalls(), [])
