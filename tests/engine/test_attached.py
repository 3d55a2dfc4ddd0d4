"""What can be attached to one sandbox, and what contradicts itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.attached import Attached, Attachments, Kind, Target
from tcworker.errors import MalformedPayload, NamingConflict


def attached(kind: Kind, path: str, read_only: bool = False) -> Attached:
    return Attached(kind, Target.of(path), "mounts[0]", None, "/source", read_only)


class TargetTests(SynchronousTestCase):
    """Where something shall be."""

    def test_what_is_the_same_place(self):
        for path in ("a/b", "./a//b/", "a/x/../b"):
            self.assertEqual(Target.of(path), Target(False, ("a", "b")))
        self.assertEqual(Target.of("."), Target.of("./"))

    def test_in_words(self):
        for path in ("a/b", "/a/b", "."):
            self.assertEqual(str(Target.of(path)), path)

    def test_out_of_the_folder(self):
        for path in ("..", "a/../../b", "../a"):
            with self.assertRaises(MalformedPayload) as caught:
                Target.of(path)
            self.assertIn(path, str(caught.exception))

    def test_absolute_ones_cannot_leave_the_root(self):
        self.assertEqual(Target.of("/../a"), Target(True, ("a",)))

    def test_within(self):
        self.assertTrue(Target.of("a/b").within(Target.of("a")))
        self.assertTrue(Target.of("a").within(Target.of(".")))
        self.assertFalse(Target.of("ab").within(Target.of("a")))
        self.assertFalse(Target.of("/a/b").within(Target.of("a")))

    @given(st.text())
    def test_whatever_a_payload_says(self, path: str):
        try:
            target = Target.of(path)
        except MalformedPayload:
            return
        self.assertFalse({"..", ".", ""} & set(target.parts))
        self.assertEqual(Target.of(str(target)), target)


class ConflictTests(SynchronousTestCase):
    """Each pair, in the order of the mounts."""

    def goes(self, first: Attached, second: Attached) -> bool:
        attachments = Attachments()
        attachments.add(first)
        try:
            attachments.add(second)
        except NamingConflict as error:
            self.assertIn(str(second.target), str(error))
            return False
        return True

    def test_what_goes_together(self):
        for first, second in (
            (attached(Kind.CACHE, "a"), attached(Kind.CACHE, "b")),
            (attached(Kind.CACHE, "a"), attached(Kind.CACHE, "a/b")),
            (attached(Kind.CACHE, "a"), attached(Kind.TREE, "a")),
            (attached(Kind.CACHE, "a"), attached(Kind.TREE, ".")),
            (attached(Kind.TREE, "a"), attached(Kind.TREE, "a")),
            (attached(Kind.TREE, "a/b"), attached(Kind.TREE, "a")),
            (attached(Kind.TREE, "a", True), attached(Kind.TREE, "a", True)),
            (attached(Kind.TREE, "a", True), attached(Kind.TREE, ".")),
            (attached(Kind.FILE, "a"), attached(Kind.FILE, "a")),
            (attached(Kind.FILE, "a/b"), attached(Kind.TREE, "a")),
            (attached(Kind.CACHE, "/a"), attached(Kind.CACHE, "a")),
        ):
            self.assertTrue(self.goes(first, second), (first, second))

    def test_what_does_not(self):
        for first, second in (
            (attached(Kind.CACHE, "a"), attached(Kind.CACHE, "a")),
            (attached(Kind.TREE, "a"), attached(Kind.CACHE, "a")),
            (attached(Kind.TREE, "a/b"), attached(Kind.CACHE, "a")),
            (attached(Kind.FILE, "a/b"), attached(Kind.CACHE, "a")),
            (attached(Kind.FILE, "a"), attached(Kind.TREE, "a/b")),
            (attached(Kind.TREE, "a/b"), attached(Kind.FILE, "a")),
            (attached(Kind.TREE, "a"), attached(Kind.FILE, "a")),
            (attached(Kind.TREE, "a", True), attached(Kind.FILE, "a/b")),
            (attached(Kind.TREE, "a", True), attached(Kind.TREE, "a")),
            (attached(Kind.TREE, "a", True), attached(Kind.TREE, "a/b")),
            (attached(Kind.FILE, "a/b"), attached(Kind.TREE, "a", True)),
        ):
            self.assertFalse(self.goes(first, second), (first, second))

    def test_the_tasks_folder_itself(self):
        for kind, read_only in ((Kind.CACHE, False), (Kind.FILE, False), (Kind.TREE, True)):
            with self.assertRaises(NamingConflict):
                Attachments().add(attached(kind, ".", read_only))

    def test_what_was_refused_is_not_there(self):
        attachments = Attachments()
        self.assertFalse(attachments)
        with self.assertRaises(NamingConflict):
            attachments.add(attached(Kind.CACHE, "."))
        self.assertFalse(attachments)
