"""What C{tcworker caches} takes for the worker that is meant."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache_commands.command import CacheOptions, main
from tcworker.control.orders import CLEAR_CACHES, Order
from tcworker.interfaces import ProcessStatus


class Settings(SynchronousTestCase):
    def test_a_place_that_is_wrong_is_not_taken_for_the_usual_one(self) -> None:
        config = Path(os.path.abspath(self.mktemp()))
        config.write_text('{"stateDir": 7, "cachesDir": ["a"], "capacity": "many"}')
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        self.assertEqual(main(CacheOptions(Order(CLEAR_CACHES), [str(config)])), ProcessStatus.INVALID_CONFIG)
        for part in ("stateDir: found 7", "cachesDir: found"):
            self.assertIn(part, said.getvalue())
        self.assertNotIn("capacity", said.getvalue())
