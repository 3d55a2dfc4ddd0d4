"""Names and paths as people read them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.artifacts.wanted import is_name, shown


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


class Names(SynchronousTestCase):
    """What the queue takes."""

    def test_printable_ascii_of_limited_length(self) -> None:
        for name, fits in {"a b/c~": True, "é": False, "a\n": False, "x" * 1024: True, "x" * 1025: False}.items():
            self.assertEqual(is_name(name), fits, name)
