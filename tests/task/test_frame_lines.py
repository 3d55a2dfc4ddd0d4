"""The lines around a task's own in its log."""

from __future__ import annotations

import json
import re

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker import __version__
from tcworker.config import Config
from tcworker.interfaces import Credentials
from tcworker.task.frame_lines import closing_lines, opening_lines
from tcworker.testing.context import FakeTaskContext

CONFIG = Config(
    root_url="https://tc.example.com",
    credentials=Credentials("worker", "secret"),
    worker_type="linux",
    worker_id="w1",
    provisioner_id="test",
    capacity=4,
    worker_type_metadata={"machine-setup": {"ami": "ami-1", "name": "größer"}},
)


class Around(SynchronousTestCase):
    def setUp(self) -> None:
        self.context = FakeTaskContext(Clock())

    @property
    def lines(self) -> list[str]:
        """The lines without their prefix, which all of them have."""
        return [re.sub(r"^\[taskcluster [^\]]+\] ", "", line) for line in self.context.log.text.splitlines()]

    def test_the_beginning(self) -> None:
        opening_lines(self.context, CONFIG)
        first, *settings, task_id, start = self.lines
        self.assertEqual(first, "Worker Type (test/linux) settings:")
        self.assertEqual(task_id, f"Task ID: {self.context.task_id}")
        self.assertEqual(start, "=== Task Starting ===")
        self.assertEqual(settings[0], "{")
        self.assertEqual(json.loads("\n".join(settings))["machine-setup"], {"ami": "ami-1", "name": "größer"})

    def test_what_it_says_of_the_worker(self) -> None:
        opening_lines(self.context, CONFIG)
        settings = json.loads("\n".join(self.lines[1:-2]))["tcworker"]
        self.assertEqual(settings["version"], __version__)
        self.assertEqual((settings["platforms"], settings["config"]), (["native"], {"capacity": 4}))
        self.assertEqual(settings.keys(), {"version", "python", "os", "arch", "platforms", "config"})

    def test_the_end(self) -> None:
        closing_lines(self.context, 61.5)
        self.assertEqual(self.lines, ["=== Task Finished ===", "Task Duration: 61.500s"])
