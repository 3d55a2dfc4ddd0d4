"""Names of members, and how they are shown."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import assume
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.child.faults import ArchiveFault, show
from tcworker.extract.child.names import check_link, parts_of
from tests.hypotheses import given

STEPS = st.lists(st.sampled_from(["..", ".", "a", "b", "l", "m"]), min_size=1, max_size=5).map("/".join)


class Names(SynchronousTestCase):
    def test_parts(self) -> None:
        self.assertEqual(parts_of(b"./a//b/./c/"), [b"a", b"b", b"c"])
        self.assertEqual(parts_of(b"./"), [])
        self.assertEqual(parts_of(b"..."), [b"..."])

    @given(st.binary())
    def test_whatever_is_taken_stays_within(self, name: bytes) -> None:
        try:
            path = os.path.normpath(os.path.join(b"/top", *parts_of(name)))
        except ArchiveFault:
            return
        self.assertEqual(os.path.commonpath([path, b"/top"]), b"/top")

    @given(st.binary(max_size=300))
    def test_what_is_shown_can_be_printed(self, name: bytes) -> None:
        shown = show(name)
        self.assertTrue(shown.isprintable() and shown)

    def test_names_are_shown_as_they_are_where_they_can_be(self) -> None:
        self.assertEqual(show("Grüße/日本語".encode()), "Grüße/日本語")
        self.assertEqual(show(b"a\xffb"), r"a\xffb")
        self.assertEqual(show(b""), "''")


class Links(SynchronousTestCase):
    @given(st.lists(st.tuples(st.sampled_from(["l", "m", "a/l", "a/b/m"]), STEPS), max_size=4))
    def test_whatever_links_are_taken_together_nothing_leads_out(self, links: list[tuple[str, str]]) -> None:
        top = Path(self.mktemp()) / "top"
        (top / "a/b").mkdir(parents=True)
        for name, target in links:
            try:
                check_link(name.count("/"), target.encode())
            except ArchiveFault:
                continue
            (top / name).unlink(missing_ok=True)
            (top / name).symlink_to(target)
        for name in ("l", "m", "a/l", "a/b/m"):
            try:
                found = (top / name).resolve(strict=False)
            except (OSError, RuntimeError):
                assume(False)
            self.assertTrue(found == top.resolve() or top.resolve() in found.parents, f"{name} leads to {found}")
