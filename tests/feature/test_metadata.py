"""The file that says which task the worker ran last."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config
from tcworker.feature.metadata import NAME, MetadataFeature
from tcworker.testing.context import TASK_ID, FakeTaskContext
from tests.feature.harness import CONFIG


class Metadata(SynchronousTestCase):
    """A worker that was started in a folder."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, NAME)
        started_in = os.getcwd()
        self.addCleanup(os.chdir, started_in)
        os.chdir(self.folder)
        self.feature = MetadataFeature(Clock(), CONFIG)
        os.chdir(started_in)

    def run_task(self, run_id: int = 0) -> None:
        context = FakeTaskContext(Clock(), run_id=run_id)
        self.addCleanup(context.close)
        at_work = self.feature.for_task(context)
        assert at_work is not None
        self.successResultOf(at_work.load(cast(Any, None)))

    def read(self) -> Any:
        with open(self.path) as file:
            return json.load(file)

    def test_it_tells_the_newest_task(self) -> None:
        for run_id in (0, 1):
            self.run_task(run_id)
            self.assertEqual(self.read(), {"lastTaskUrl": f"https://tc.example.com/tasks/{TASK_ID}/runs/{run_id}"})

    def test_others_may_read_it(self) -> None:
        self.run_task()
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o644)

    def test_whoever_reads_it_meanwhile_has_the_old_one_whole(self) -> None:
        self.run_task(0)
        with open(self.path) as reader:
            self.run_task(1)
            self.assertIn("/runs/0", json.load(reader)["lastTaskUrl"])

    def test_a_link_in_its_place_is_replaced_and_not_followed(self) -> None:
        precious = os.path.join(self.folder, "precious")
        with open(precious, "w") as file:
            file.write("kept")
        os.symlink(precious, self.path)
        self.run_task()
        with open(precious) as file:
            self.assertEqual(file.read(), "kept")

    def test_a_folder_that_cannot_be_written_costs_no_task(self) -> None:
        self.patch(os, "rename", _refuse)
        self.run_task()
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_folder_that_is_gone_costs_no_task(self) -> None:
        os.rmdir(self.folder)
        self.run_task()

    def test_a_pool_that_has_it_switched_off(self) -> None:
        off: Config = replace(CONFIG, enable_metadata=False)
        self.assertIsNone(MetadataFeature(Clock(), off).for_task(cast(Any, None)))


def _refuse(*paths: str) -> None:
    raise OSError(30, "Read-only file system")
