"""Groups of the machine that a task joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.feature.os_groups import OSGroupsFeature
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.platform import FakeEngine, FakePlatform
from tests.feature.harness import CONFIG

NOTHING: Sequence[Mapping[str, Any]] = ({}, {"osGroups": []})

ALL = "generic-worker:os-group:test-provisioner/t/*"


class Joining(SynchronousTestCase):
    """A task that lists groups; on this machine there is one, C{known}."""

    def setUp(self) -> None:
        self.context = FakeTaskContext(Clock())
        self.addCleanup(self.context.close)
        self.engine = FakeEngine(FakePlatform(Clock()), self.context)

    def load(self, groups: Sequence[str], scopes: Sequence[str] = (ALL,), **features: bool) -> Deferred[None]:
        self.context.payload = {"osGroups": groups, "features": features}
        self.context.task = {**self.context.task, "scopes": scopes}
        loading: Deferred[None] = self.feature().load(self.engine)
        return loading

    def feature(self, config: Config = CONFIG) -> Any:
        return OSGroupsFeature(Clock(), config).for_task(self.context)

    def test_a_group_that_it_has_the_scope_for(self) -> None:
        self.successResultOf(self.load(["known"], ["generic-worker:os-group:test-provisioner/t/known"]))
        self.assertEqual(self.engine.groups, {"known"})

    def test_all_scopes_that_lack_are_told_at_once(self) -> None:
        loading = self.load(["known", "docker", "kvm"], ["generic-worker:os-group:test-provisioner/t/known"])
        error = str(self.failureResultOf(loading, MalformedPayload).value)
        self.assertTrue(error.startswith("payload.osGroups: "))
        for group in ("docker", "kvm"):
            self.assertIn(f"generic-worker:os-group:test-provisioner/t/{group}", error)
        self.assertNotIn("known", error)
        self.assertEqual(self.engine.groups, set())

    def test_the_scope_of_another_pool_is_not_enough(self) -> None:
        self.failureResultOf(self.load(["known"], ["generic-worker:os-group:test-provisioner/u/*"]), MalformedPayload)

    def test_groups_that_are_not_there_are_told_with_their_places(self) -> None:
        error = self.failureResultOf(self.load(["nosuch", "known", "neither"]), MalformedPayload).value
        self.assertEqual(
            error.messages,
            ("payload.osGroups[0]: there is no group nosuch", "payload.osGroups[2]: there is no group neither"),
        )

    def test_as_the_worker_s_user_it_joins_none(self) -> None:
        self.successResultOf(self.load(["known"], runTaskAsCurrentUser=True))
        self.assertEqual(self.engine.groups, set())
        self.assertIn("[osGroups] no group is joined", self.context.log.text)

    def test_a_pool_that_has_it_switched_off(self) -> None:
        self.context.payload = {"osGroups": ["known"]}
        error = self.assertRaises(MalformedPayload, self.feature, replace(CONFIG, enable_os_groups=False))
        self.assertIn("payload.osGroups: workers of test-provisioner/t have switched this off", str(error))
        self.assertIn("enableOSGroups: false", str(error))

    def test_a_task_that_lists_none_has_nothing_to_do_with_it(self) -> None:
        for payload in NOTHING:
            self.context.payload = payload
            self.assertIsNone(self.feature(replace(CONFIG, enable_os_groups=False)))
