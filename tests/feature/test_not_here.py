"""What a payload may ask for and this worker does not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload
from tcworker.feature.not_here import NotHereFeature
from tcworker.task.payload import PayloadSchema
from tcworker.testing.context import FakeTaskContext
from tests.feature.harness import CONFIG


class NotHere(SynchronousTestCase):
    """A payload that fits the schema, and what is said to it."""

    def judge(self, payload: Mapping[str, Any]) -> None:
        PayloadSchema({"not-here": NotHereFeature.schema}).check(payload)
        context = FakeTaskContext(Clock(), payload)
        self.addCleanup(context.close)
        self.assertIsNone(NotHereFeature(Clock(), CONFIG).for_task(context))

    def refused(self, payload: Mapping[str, Any]) -> tuple[str, ...]:
        error = self.assertRaises(MalformedPayload, self.judge, payload)
        messages: tuple[str, ...] = error.messages
        return messages

    def refused_feature(self, name: str) -> str:
        (message,) = self.refused({"features": {name: True}})
        self.judge({"features": {name: False}})
        return message.partition(f"payload.features.{name}: ")[2]

    def test_a_proxy_to_taskcluster(self) -> None:
        self.assertIn("this worker has no proxy to Taskcluster", self.refused_feature("taskclusterProxy"))

    def test_shells(self) -> None:
        self.assertIn("this worker has no shells", self.refused_feature("interactive"))

    def test_a_chain_of_trust(self) -> None:
        self.assertIn("this worker has no chain of trust", self.refused_feature("chainOfTrust"))

    def test_loopback_audio(self) -> None:
        self.assertIn("this worker has no loopback devices for audio", self.refused_feature("loopbackAudio"))

    def test_loopback_video(self) -> None:
        self.assertIn("this worker has no loopback devices for video", self.refused_feature("loopbackVideo"))

    def test_all_at_once(self) -> None:
        asked = {"features": {"interactive": True, "taskclusterProxy": True, "loopbackAudio": True}}
        self.assertEqual(len(self.refused(asked)), 3)

    def test_where_a_proxy_would_listen_means_nothing(self) -> None:
        self.judge({"taskclusterProxyInterface": "localhost"})
        self.judge({"taskclusterProxyInterface": "docker-bridge"})
        self.assertIn("expected one of", self.refused({"taskclusterProxyInterface": "eth0"})[0])

    def test_a_superseder_means_nothing(self) -> None:
        for text in ("https://coalesce.example.com/v1/list/x", "example", ""):
            self.judge({"supersederUrl": text})
        self.assertIn("expected a string", self.refused({"supersederUrl": 1})[0])
