"""What is mounted where it cannot be: a kernel that does not show it, and a place that is taken."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tcworker.errors import TaskFailed
from tcworker.interfaces import IEngine
from tests.engine.native.harness import names_in, touch
from tests.engine.native.test_mounted import MountedCase, OwnUsersCase


class RefusedCase(OwnUsersCase):
    """One shared tree, and orders to supervisors that are spoilt before they are given."""

    async def setUp(self):
        await super().setUp()
        self.tree = await self.platform.new_cache_folder("t")
        self.addCleanup(self.tree.delete)
        self.fill(self.tree, {"a": "from the tree"})
        self.shown: list[bool] = []

    def spoil(self, spoil: Callable[[dict[str, Any]], None]) -> None:
        """Do something to what each run is to be shown."""
        sound = self.platform._means.launcher.supervise

        def supervise(order: Any, *rest: Any) -> Any:
            self.shown.append(order["views"] is not None)
            if order["views"]:
                spoil(order["views"]["views"][0])
            return sound(order, *rest)

        self.patch(self.platform._means.launcher, "supervise", supervise)

    async def run_with_tree(self, change: Callable[[IEngine], None] = lambda engine: None) -> None:
        engine = self.engine("cat t/a; echo changed > t/a")
        change(engine)
        await engine.attach_tree(self.tree, "t", "mounts[0]", False)
        result = await self.run_engine(engine)
        self.assertIn("from the tree", self.context.log.text)
        await result.dispose()


class ForGoodTests(RefusedCase):
    async def test_no_later_run_tries_in_vain(self):
        """The kernel takes no folder both for what is changed and for its own work, whoever asks."""
        self.spoil(lambda view: view.update(work=os.path.join(view["own"][0], *view["own"][1])))
        for _ in range(2):
            await self.run_with_tree()
        self.assertEqual(self.shown, [True, False, False])


class OnceTests(RefusedCase):
    async def test_the_next_run_tries_again(self):
        """What came of this one's own wishes says nothing of others."""
        self.spoil(lambda view: view.update(target=("/no/such/folder", [])))
        for _ in range(2):
            await self.run_with_tree()
        self.assertEqual(self.shown, [True, False] * 2)

    async def test_one_with_the_worker_s_rights_can_log_in_all_the_same(self):
        """It has another user the second time, whose password is another one."""
        self.spoil(lambda view: view.update(target=("/no/such/folder", [])))
        await self.run_with_tree(lambda engine: engine.run_as_worker())
        self.assertEqual(self.shown, [True, False])


class OccupiedTests(MountedCase):
    """A cache in a cache, where an earlier task left a folder."""

    async def setUp(self):
        await super().setUp()
        self.path = await self.new_cache()
        self.inner = await self.platform.new_cache_folder("x")
        self.addCleanup(self.inner.delete)
        os.mkdir(os.path.join(self.path, "x"))
        self.with_both = self.engine("echo in > c/x/in")
        await self.with_both.attach_cache(self.folder, "c", "mounts[0]")
        await self.with_both.attach_cache(self.inner, "c/x", "mounts[1]")

    async def test_an_empty_one_is_no_hindrance(self):
        result = await self.run_engine(self.with_both)
        for folder in (self.inner, self.folder):
            await result.detach_cache(folder)
        self.assertEqual(names_in(self.inner.path or ""), ["in"])

    async def test_what_is_in_it_is_the_task_s_to_mend(self):
        touch(os.path.join(self.path, "x"), "left")
        with self.assertRaises(TaskFailed) as caught:
            await self.with_both.start()
        self.assertIn("mounts[1]: on c/x lies something already", str(caught.exception))
        self.assertEqual(names_in(os.path.join(self.path, "x")), ["left"])
