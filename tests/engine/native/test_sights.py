"""What a run must be shown otherwise than it lies on the disk."""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native.grounds import Spot
from tcworker.engine.native.sights import Sights
from tcworker.launcher.views import View


def spot(*parts: str) -> Spot:
    """In the run's folder."""
    return Spot("/tasks/run", parts, "/tasks/run", parts)


class SightsTests(SynchronousTestCase):
    """Views, for a supervisor."""

    def setUp(self):
        self.works = 0
        self.sights = Sights(self.new_work)

    def new_work(self) -> str:
        self.works += 1
        return f"/work/{self.works}"

    def tree(self, *folders: str) -> str:
        """A shared folder with folders in it."""
        path = os.path.abspath(self.mktemp())
        for folder in ("", *folders):
            os.makedirs(os.path.join(path, folder))
        return path

    def views(self) -> dict[str, View]:
        """By where they are seen."""
        messages: list[dict[str, Any]] = [dict(message) for message in self.sights.messages()]
        return {view.target.path: view for view in map(View.of, messages)}

    def layers(self, path: str) -> list[str]:
        return [layer.path for layer in self.views()[path].layers]

    def test_nothing(self):
        self.assertEqual(self.views(), {})

    def test_a_cache_that_is_seen_where_it_lies(self):
        self.sights.add_cache(spot("c"), mapped=False)
        self.assertEqual(self.views(), {})

    def test_a_cache_of_another_user(self):
        self.sights.add_cache(spot("c"), mapped=True)
        view = self.views()["/tasks/run/c"]
        self.assertTrue(view.mapped)
        self.assertEqual((view.own, view.layers, view.work), (view.target, [], None))

    def test_a_cache_that_is_seen_elsewhere(self):
        self.sights.add_cache(Spot("/scratch/lent", (), "/", ("builds", "c")), mapped=False)
        view = self.views()["/builds/c"]
        assert view.own is not None
        self.assertEqual(view.own.path, "/scratch/lent/".rstrip("/"))

    def test_a_tree(self):
        tree = self.tree()
        self.sights.add_tree(spot("t"), tree, read_only=False)
        view = self.views()["/tasks/run/t"]
        self.assertEqual([layer.path for layer in view.layers], [tree])
        self.assertEqual(view.own, view.target)
        self.assertIsNotNone(view.work)

    def test_one_that_cannot_be_changed(self):
        self.sights.add_tree(spot("t"), self.tree(), read_only=True)
        self.assertIsNone(self.views()["/tasks/run/t"].own)

    def test_the_last_one_lies_over_the_others(self):
        first, second = self.tree(), self.tree()
        self.sights.add_tree(spot("t"), first, read_only=False)
        self.sights.add_tree(spot("t"), second, read_only=False)
        self.assertEqual(self.layers("/tasks/run/t"), [second, first])

    def test_one_in_another(self):
        """It is over what that has there, or below it, as they came."""
        outer, inner = self.tree("in"), self.tree()
        for first, second in (((), ("in",)), (("in",), ())):
            self.sights = Sights(self.new_work)
            for parts in (first, second):
                self.sights.add_tree(spot(*parts), inner if parts else outer, read_only=False)
            expected = [inner, os.path.join(outer, "in")]
            self.assertEqual(self.layers("/tasks/run/in"), expected if second else expected[::-1])
            self.assertEqual(self.layers("/tasks/run"), [outer])

    def test_one_in_another_that_has_nothing_there(self):
        outer, inner = self.tree("other"), self.tree()
        os.symlink("/", os.path.join(outer, "in"))
        self.sights.add_tree(spot(), outer, read_only=False)
        self.sights.add_tree(spot("in"), inner, read_only=False)
        self.assertEqual(self.layers("/tasks/run/in"), [inner])

    def test_a_cache_in_a_tree(self):
        """It must be over that, and what is in it is not the tree's."""
        outer, inner = self.tree("c/in"), self.tree()
        self.sights.add_cache(spot("c"), mapped=False)
        self.sights.add_tree(spot(), outer, read_only=False)
        self.sights.add_tree(spot("c", "in"), inner, read_only=True)
        self.assertEqual(self.layers("/tasks/run/c/in"), [inner])
        view = self.views()["/tasks/run/c"]
        self.assertEqual((view.layers, view.own), ([], view.target))

    def test_one_tree_twice_at_one_place(self):
        """The kernel would take it for a loop."""
        twice, between = self.tree(), self.tree()
        for tree in (twice, between, twice):
            self.sights.add_tree(spot("t"), tree, read_only=False)
        self.assertEqual(self.layers("/tasks/run/t"), [twice, between])
