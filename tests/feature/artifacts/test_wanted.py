"""Paths as people read them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.artifacts.wanted import shown


class Shown(SynchronousTestCase):
    """In one line, whatever they are made of."""

    def test_any_bytes(self) -> None:
        for path, expected in {
            "a b/é": "a b/é",
            "a\nb": "a\\x0ab",
            "\udcff\udc80": "\\xff\\x80",
            "\ud800": "\\ud800",
            "\x1b[31m": "\\x1b[31m",
            "\u202e": "\\xe2\\x80\\xae",
        }.items():
            self.assertEqual(shown(path), expected)

    def test_long_ones_are_cut(self) -> None:
        self.assertEqual(shown("x" * 5000), "x" * 400 + "…")
