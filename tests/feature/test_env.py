"""The variables of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.feature.env import EnvFeature
from tcworker.interfaces import IEngine
from tcworker.testing.context import TASK_ID, FakeTaskContext
from tests.feature.harness import CONFIG


class Engine:
    """Keeps what is set."""

    def __init__(self) -> None:
        self.env: dict[str, str] = {}

    def set_env(self, name: str, value: str) -> None:
        assert name not in self.env, "every variable is set once"
        if "=" in name:
            raise MalformedPayload(f"env: {name!r} cannot be the name of a variable")
        self.env[name] = value


class Variables(SynchronousTestCase):
    """What a task finds in its environment."""

    def setUp(self) -> None:
        self.engine = Engine()

    def load(self, payload: Mapping[str, Any], config: Config = CONFIG) -> Deferred[None]:
        context = FakeTaskContext(Clock(), payload, task={"taskGroupId": "group"}, run_id=3)
        self.addCleanup(context.close)
        feature = EnvFeature(Clock(), config).for_task(context)
        return feature.load(cast(IEngine, self.engine))

    def env(self, payload: Mapping[str, Any], config: Config = CONFIG) -> Mapping[str, str]:
        self.successResultOf(self.load(payload, config))
        return self.engine.env

    def test_what_every_task_gets(self) -> None:
        self.assertEqual(
            self.env({}),
            {
                "TASK_ID": TASK_ID,
                "RUN_ID": "3",
                "TASK_GROUP_ID": "group",
                "TASKCLUSTER_ROOT_URL": "https://tc.example.com",
            },
        )

    def test_the_payload_adds_to_it(self) -> None:
        self.assertEqual(self.env({"env": {"HOME": "/x"}})["HOME"], "/x")

    def test_the_payload_cannot_say_that_it_is_another_task(self) -> None:
        self.assertEqual(self.env({"env": {"TASK_ID": "another"}})["TASK_ID"], TASK_ID)

    def test_all_that_cannot_be_variables_are_told_at_once(self) -> None:
        loading = self.load({"env": {"A=B": "x", "C": "x", "=": "x"}})
        error = self.failureResultOf(loading, MalformedPayload).value
        self.assertEqual(
            error.messages, tuple(f"payload.env: {name!r} cannot be the name of a variable" for name in ("A=B", "="))
        )

    def test_where_the_worker_is(self) -> None:
        config = replace(CONFIG, worker_location='{"cloud": "x"}', instance_type="m5.large")
        env = self.env({"env": {"TASKCLUSTER_INSTANCE_TYPE": "mine"}}, config)
        self.assertEqual(env["TASKCLUSTER_WORKER_LOCATION"], '{"cloud": "x"}')
        self.assertEqual(env["TASKCLUSTER_INSTANCE_TYPE"], "m5.large")
