"""Who may read the files of settings."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config, Source, load_file, parse
from tcworker.config_privacy import keep_private
from tcworker.errors import ConfigError
from tcworker.testing.facilities import FakeFacilities
from tests.test_config import LEAST

STRANGERS: list[dict[str, Any]] = [{"task_users": True}, {"task_user": "nobody"}]


class Privacy(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        with open(self.path, "w") as file:
            file.write("accessToken: x")
        os.chmod(self.path, 0o644)

    def config(self, **settings: Any) -> Config:
        return replace(FakeFacilities(Clock(), self.mktemp()).config, **settings)

    def keep(self, source: Source, **settings: Any) -> list[str]:
        return keep_private([source], self.config(**settings))

    def mode(self) -> int:
        return stat.S_IMODE(os.stat(self.path).st_mode)

    def test_a_file_that_tasks_could_read_is_closed(self) -> None:
        for settings in STRANGERS:
            os.chmod(self.path, 0o644)
            (said,) = self.keep(load_file(self.path), **settings)
            self.assertEqual(
                (said, self.mode()),
                (f"others could read {self.path}, which holds secrets: its mode is 0600 now", 0o600),
            )

    def test_root_s_tasks_are_strangers_by_default(self) -> None:
        self.patch(os, "geteuid", lambda: 0)
        keep_private([load_file(self.path)], parse([Source("f", LEAST)]))
        self.assertEqual(self.mode(), 0o600)

    def test_one_that_cannot_be_closed_ends_the_start(self) -> None:
        for settings in STRANGERS:
            gone = Source("/proc/self/mounts", {}, 0o644)
            error = self.assertRaises(ConfigError, self.keep, gone, **settings)
            self.assertEqual(error.exit_status, 77)
            self.assertIn("/proc/self/mounts: found secrets that tasks could read (mode 0644; ", str(error))

    def test_it_stays_as_it_is_where_tasks_are_the_worker(self) -> None:
        self.patch(os, "geteuid", lambda: 1000)
        for settings in ({}, {"task_users": False}):
            (said,) = self.keep(load_file(self.path), **settings)
            self.assertIn("others may read it", said)
            self.assertEqual(self.mode(), 0o644)

    def test_nothing_is_said_of_a_private_file(self) -> None:
        os.chmod(self.path, 0o600)
        self.assertEqual(self.keep(load_file(self.path), task_users=True), [])
