"""A task with the worker's own rights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.feature.run_as_current_user import RunAsCurrentUserFeature
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.platform import FakeEngine, FakePlatform
from tests.feature.harness import CONFIG

SCOPE = "generic-worker:run-task-as-current-user:test-provisioner/t"


class RunningAsTheWorker(SynchronousTestCase):
    """A task that asks for it."""

    def setUp(self) -> None:
        asks = {"features": {"runTaskAsCurrentUser": True}}
        self.context = FakeTaskContext(Clock(), asks, task={"scopes": [SCOPE]})
        self.addCleanup(self.context.close)
        self.engine = FakeEngine(FakePlatform(Clock()), self.context)

    def feature(self, config: Config = CONFIG) -> Any:
        return RunAsCurrentUserFeature(Clock(), config).for_task(self.context)

    def refused(self, config: Config) -> str:
        return str(self.assertRaises(MalformedPayload, self.feature, config))

    def test_with_the_scope(self) -> None:
        self.successResultOf(self.feature().load(self.engine))
        self.assertTrue(self.engine.as_worker)

    def test_without_the_scope(self) -> None:
        self.context.task = {**self.context.task, "scopes": [SCOPE + "x"]}
        error = self.failureResultOf(self.feature().load(self.engine), MalformedPayload).value
        self.assertTrue(str(error).startswith("payload.features.runTaskAsCurrentUser: "))
        self.assertIn(SCOPE, str(error))
        self.assertFalse(self.engine.as_worker)

    def test_beside_other_tasks_it_could_reach_them(self) -> None:
        self.assertIn("capacity 1", self.refused(replace(CONFIG, capacity=2)))

    def test_a_pool_that_has_it_switched_off(self) -> None:
        self.assertIn(
            "enableRunTaskAsCurrentUser: false", self.refused(replace(CONFIG, enable_run_task_as_current_user=False))
        )

    def test_a_task_that_does_not_ask(self) -> None:
        for payload in ({}, {"features": {"runTaskAsCurrentUser": False}}):
            self.context.payload = payload
            self.assertIsNone(self.feature(replace(CONFIG, enable_run_task_as_current_user=False, capacity=2)))
