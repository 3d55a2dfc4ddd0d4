"""What the manual says of the arguments."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.times import Times
from tcworker.server.arguments import add_arguments

MANUAL = (Path(__file__).parents[2] / "docs" / "server.md").read_text()


class TheManual(SynchronousTestCase):
    def test_lists_all_times_with_their_defaults(self) -> None:
        listed = {
            name: float(seconds) for name, seconds in re.findall(r"^\| `([a-z][a-z-]+)` \| (\d+) \|", MANUAL, re.M)
        }
        self.assertEqual(listed, {name.replace("_", "-"): value for name, value in asdict(Times()).items()})

    def test_names_all_options(self) -> None:
        parser = ArgumentParser(add_help=False)
        add_arguments(parser)
        for option in parser._option_string_actions:
            self.assertRegex(MANUAL, rf"(?m)^\| `{option}\b", option)
