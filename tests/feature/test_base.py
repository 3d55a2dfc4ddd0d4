"""What features begin with."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.base import PrefixedLog
from tcworker.testing.memory import MemoryLog


class Prefixed(SynchronousTestCase):
    def test_each_line_says_which_feature_it_is_from(self) -> None:
        log = MemoryLog(Clock())
        mounts = PrefixedLog(log, "mounts")
        mounts.info("one\ntwo\n")
        said = [line.partition("] ") for line in log.text.splitlines()]
        self.assertEqual([text for _, _, text in said], ["[mounts] one", "[mounts] two"])
