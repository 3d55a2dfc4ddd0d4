"""The feature, and the three of them together as worker.yml names them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import yaml
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from examples.plugins import __file__ as plugins
from examples.plugins.flag import FlagFileHost
from examples.plugins.load import LoadFeature
from examples.plugins.script import ScriptPlatform
from tcworker.assemble import make_parts, new_worker
from tcworker.config import Config, Source, parse
from tcworker.errors import MalformedPayload
from tcworker.feature.registry import FeatureSet
from tcworker.interfaces import Credentials
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.platform import FakePlatform
from tcworker.worker import Parts

SETTINGS = Path(plugins).parent / "worker.yml"


class LoadFeatureTests(SynchronousTestCase):
    def test_says_the_load_at_both_ends_of_a_task(self) -> None:
        self.patch(os, "getloadavg", lambda: (1.25, 0.5, 0.0))
        clock = Clock()
        context = FakeTaskContext(clock, {"script": [{"print": "at work"}]})
        feature = LoadFeature(clock, Config("https://tc.example.com", Credentials("c", "secret"), "test", "w1"))
        features = FeatureSet([feature]).for_task(context)
        execution = self.successResultOf(FakePlatform(clock).new_engine(context).start())
        self.successResultOf(features.started(execution))
        clock.advance(0)
        self.successResultOf(features.stopped(self.successResultOf(execution.when_finished())))
        started, at_work, stopped = context.log.text.splitlines()
        self.assertIn("started with a load of 1.2, 0.5", started)
        self.assertEqual(at_work, "at work")
        self.assertIn("stopped with a load of 1.2, 0.5", stopped)


class SettingsTests(TestCase):
    """What stands in worker.yml works."""

    timeout = 30

    def settings(self) -> dict[str, Any]:
        folder = tempfile.mkdtemp(prefix="plugins-", dir=os.path.abspath("."))
        places = {"tasksDir": f"{folder}/tasks", "stateDir": f"{folder}/state"}
        return {**yaml.safe_load(SETTINGS.read_text()), **places}

    def make_parts(self) -> Parts:
        parts = make_parts(reactor, parse([Source("worker.yml", self.settings())]))
        self.addCleanup(parts.platforms[0].dispose)
        return parts

    def test_makes_a_worker_with_the_host(self) -> None:
        worker = new_worker(reactor, [Source("worker.yml", self.settings())])
        self.assertIn(FlagFileHost, [type(service) for child in worker for service in getattr(child, "services", [])])

    def test_makes_the_platform_and_the_feature(self) -> None:
        parts = self.make_parts()
        self.assertEqual([type(platform) for platform in parts.platforms], [ScriptPlatform])
        self.assertIn(LoadFeature, [type(feature) for feature in parts.features])
        self.assertTrue(parts.platforms[0].accepts({"text": "x"}))
        self.assertFalse(parts.platforms[0].accepts({"command": []}))

    async def test_its_command_decides(self) -> None:
        (platform,) = self.make_parts().platforms
        await platform.prepare([])
        context = FakeTaskContext(reactor, {"text": "three short words", "maxRunTime": 60})
        result = await (await platform.new_engine(context).start()).when_finished()
        self.assertEqual((result.success, context.log.text), (True, "3 words\n"))
        await result.dispose()

    async def test_its_command_refuses(self) -> None:
        (platform,) = self.make_parts().platforms
        await platform.prepare([])
        engine = platform.new_engine(FakeTaskContext(reactor, {"text": "", "maxRunTime": 60}))
        await self.assertFailure((await engine.start()).when_finished(), MalformedPayload)
