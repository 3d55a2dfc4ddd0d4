"""docs/operating.md has a unit that fits the worker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from configparser import ConfigParser
from unittest import skipUnless

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker import cli, running
from tcworker.claims import room
from tcworker.config_schema import KEYS
from tcworker.errors import ProcessStatus
from tcworker.testing.facilities import FakeFacilities
from tcworker.watch import health, stall, systemd
from tests.documented_tests import DOCS

TEXT = (DOCS / "operating.md").read_text()

CONFIGURATION_FAULTS = {
    ProcessStatus.UNUSABLE_CONFIG,
    ProcessStatus.INVALID_CONFIG,
    ProcessStatus.EXPOSED_CONFIG,
}


class TheUnit(SynchronousTestCase):
    def setUp(self) -> None:
        self.unit = ConfigParser(interpolation=None)
        found = re.search(r"```ini\n(.*?)```", TEXT, re.DOTALL)
        assert found is not None
        self.unit.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
        self.unit.read_string(found[1])
        self.service = self.unit["Service"]

    @skipUnless(shutil.which("systemd-analyze"), "there is no systemd here")
    def test_systemd_understands_it(self) -> None:
        path = os.path.join(os.path.abspath(self.mktemp()), "tcworker.service")
        os.mkdir(os.path.dirname(path))
        self.service["ExecStart"] = "/bin/true"
        with open(path, "w") as file:
            self.unit.write(file)
        done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def statuses(self, key: str) -> set[int]:
        return set(map(int, self.service[key].split()))

    def test_the_command_is_one(self) -> None:
        program, *words = self.service["ExecStart"].split()
        self.assertTrue(program.endswith("/tcworker"))
        cli._parser().parse_args(words)

    def test_a_configuration_that_cannot_be_used_is_not_tried_again(self) -> None:
        self.assertEqual(self.statuses("RestartPreventExitStatus"), CONFIGURATION_FAULTS)

    def test_only_what_went_wrong_is(self) -> None:
        wanted = self.statuses("SuccessExitStatus") | {ProcessStatus.DONE}
        self.assertEqual(set(ProcessStatus) - wanted - CONFIGURATION_FAULTS, {ProcessStatus.INTERNAL_ERROR})

    def test_stopping_has_the_time_that_it_may_take(self) -> None:
        grace = FakeFacilities(Clock(), self.mktemp()).config.shutdown_grace_secs
        self.assertGreater(float(self.service["TimeoutStopSec"]), grace + running.LAST_RESORT + 10)

    def test_the_watchdog_hears_several_times_in_its_time(self) -> None:
        self.assertGreater(float(self.service["WatchdogSec"]), 5 * systemd.LOOK_EVERY)
        self.assertEqual(self.service["Type"], "notify")


class TheText(SynchronousTestCase):
    def test_it_names_keys_that_there_are(self) -> None:
        named = set(re.findall(r"`([a-z]+[A-Z]\w*)`", TEXT)) - {"heldBack"}
        self.assertEqual(named - KEYS.keys(), set())

    def test_every_status_is_explained(self) -> None:
        rows = TEXT.partition("## How it ends")[2]
        explained = {int(number) for row in re.findall(r"^\| ([\d, ]+) \|", rows, re.M) for number in row.split(",")}
        self.assertEqual(explained, set(ProcessStatus))

    def test_its_numbers_are_those_of_the_worker(self) -> None:
        self.assertEqual((health.SILENCE, systemd.UNWELL_FOR, stall.STALLED_AFTER), (300, 120, 10))
        self.assertEqual((room.AGAIN, room.OF_WHAT_ENDS_TASKS), (3600, 2))
