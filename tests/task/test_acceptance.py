"""Which platform runs a task, and what is said to payloads that none can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload
from tcworker.interfaces import IPlatform
from tcworker.task.acceptance import Acceptance
from tcworker.testing.facilities import NoThreads
from tcworker.testing.memory import MemoryLog
from tcworker.testing.platform import FakePlatform
from tests.feature.harness import CONFIG, result_of

TIME: Mapping[str, Any] = {"properties": {"maxRunTime": {"type": "integer"}}, "required": ["maxRunTime"]}


class Platform(FakePlatform):
    """A platform whose payloads have a key of their own."""

    def __init__(self, name: str, key: str) -> None:
        super().__init__(Clock())
        self.name = name
        self.schema = {"properties": {key: {"type": "string"}}, "required": [key]}
        self._key = key

    def accepts(self, payload: Mapping[str, Any]) -> bool:
        return self._key in payload


NATIVE = Platform("native", "command")
OTHER = Platform("other", "image")


class Choosing(SynchronousTestCase):
    def setUp(self) -> None:
        self.log = MemoryLog(Clock())

    def platform_for(self, payload: object, *platforms: IPlatform, **settings: Any) -> str:
        acceptance = Acceptance(replace(CONFIG, **settings), platforms or [NATIVE], {"time": TIME})
        name: str = result_of(acceptance.platform_for(payload, self.log, NoThreads())).name
        return name

    def refused(self, payload: object, *platforms: IPlatform, **settings: Any) -> str:
        return str(self.assertRaises(MalformedPayload, self.platform_for, payload, *platforms, **settings))

    def test_the_platform_that_a_payload_is_meant_for(self) -> None:
        for key, name in (("command", "native"), ("image", "other")):
            self.assertEqual(self.platform_for({key: "x", "maxRunTime": 1}, NATIVE, OTHER), name)

    def test_each_has_its_own_schema(self) -> None:
        refused = self.refused({"command": "x", "image": "y", "maxRunTime": 1}, NATIVE, OTHER)
        self.assertEqual(refused.partition(" found")[0], "payload.image:")

    def test_what_none_of_several_can_run(self) -> None:
        for payload in ({"maxRunTime": 1}, ["command"], "image", None):
            self.assertIn("none of this worker's platforms (native, other)", self.refused(payload, NATIVE, OTHER))

    def test_with_one_platform_what_is_wrong_is_said_exactly(self) -> None:
        self.assertIn("payload.command: found nothing, expected a string", self.refused({"comand": "x"}))
        self.assertIn("payload: found null (null), expected an object", self.refused(None))

    def test_a_schema_that_is_not_met_is_not_printed_but_named(self) -> None:
        self.refused({"maxRunTime": 1})
        self.assertIn("tcworker schema native prints it", self.log.text)
        self.assertNotIn("properties", self.log.text)

    def test_a_payload_for_docker_where_there_is_none(self) -> None:
        refused = self.refused({"image": "debian", "maxRunTime": 1})
        self.assertEqual(
            refused,
            "payload.image: a payload with an image is for docker, which workers of test-provisioner/t do not have; "
            "contact the owner of the worker pool, or use another one",
        )
        self.assertEqual(self.log.text, "")

    def test_a_native_payload_where_they_are_disabled(self) -> None:
        payload = {"command": "x", "maxRunTime": 1}
        for asked, platforms in ((payload, [NATIVE]), ({}, [NATIVE]), (payload, [NATIVE, OTHER])):
            refused = self.refused(asked, *platforms, disable_native_payloads=True)
            self.assertIn("disableNativePayloads: true", refused)
        self.assertEqual(
            self.platform_for({"image": "x", "maxRunTime": 1}, NATIVE, OTHER, disable_native_payloads=True), "other"
        )
