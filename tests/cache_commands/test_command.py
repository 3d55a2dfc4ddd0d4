"""What C{tcworker caches} takes for the worker that is meant."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache_commands import command
from tcworker.cache_commands.command import CacheOptions, main
from tcworker.control.orders import CLEAR_CACHES, Order, read_order
from tcworker.interfaces import ProcessStatus


class Answers(SynchronousTestCase):
    def refusal(self, order: Order, error: str) -> str:
        self.patch(command, "call", lambda *arguments: {"error": error})
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        self.assertEqual(main(CacheOptions(order, state_dir=self.mktemp())), ProcessStatus.INTERNAL_ERROR)
        return said.getvalue()

    def test_what_a_worker_cannot_do_is_no_sign_of_its_age(self) -> None:
        said = self.refusal(Order(CLEAR_CACHES), "it failed: No space left on device")
        self.assertEqual(said, "tcworker caches: the worker says: it failed: No space left on device\n")

    def test_what_it_does_not_know_is(self) -> None:
        with self.assertRaises(ValueError) as caught:
            read_order(b'{"order": "count caches"}')
        self.assertIn("it is an older one", self.refusal(Order(CLEAR_CACHES), str(caught.exception)))


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
