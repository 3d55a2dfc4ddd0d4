"""Which disks have too little room, for tasks or for what is kept."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.places import Places, Pressure, is_on_disk_of
from tcworker.watch.disks import MEGABYTE, Disk, Need
from tests.cache.stock import Disks


class PlacesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.disks = Disks(tasks=500, state=500, caches=500)
        self.patch(Disk, "of", self.disks.of)

    def short(self, tasks: int = 100, pressure: Pressure = Pressure.USUAL) -> dict[str, int]:
        """The disks that are short, and how many MiB lack there."""
        needs = [Need("/tasks/t", tasks * MEGABYTE), Need("/state/s", 8 * MEGABYTE)]
        names = {hash(name): name for name in self.disks.free}
        found = Places(needs, ["/caches/c", "/caches/d", "/tasks/downloads"]).short(pressure)
        return {names[each.device]: each.bytes // MEGABYTE for each in found}


class Required(PlacesCase):
    def test_nothing_lacks(self) -> None:
        self.assertEqual(self.short(), {})

    def test_each_disk_has_its_own_need(self) -> None:
        self.disks.free |= {"/tasks": 90, "/state": 3}
        self.assertEqual(self.short(), {"/tasks": 10, "/state": 5})

    def test_where_nothing_is_required_for_tasks_what_is_kept_leaves_as_much_as_the_state_needs(self) -> None:
        self.disks.free |= {"/tasks": 0}
        self.assertEqual(self.short(tasks=0), {"/tasks": 8})

    def test_a_disk_that_is_gone_lacks_nothing_that_could_be_made(self) -> None:
        del self.disks.free["/tasks"]
        self.assertEqual(self.short(), {})

    def test_one_with_too_many_files_is_short_of_no_bytes(self) -> None:
        self.disks.files["/tasks"] = (3000, 5)
        self.assertEqual(self.short(), {"/tasks": 0})


class OnOneDisk(PlacesCase):
    def test_is_what_lies_there_or_is_to_lie_there(self) -> None:
        self.disks.free |= {"/tasks": 5, "/state": 6, "/caches": 7}
        for path, is_there in (("/caches/x", True), ("/tasks/x/y", False), ("/nowhere/x", True)):
            self.assertEqual(is_on_disk_of(path, ["/caches/c", "/state/d"]), is_there, path)

    def test_is_what_has_the_same_room(self) -> None:
        self.disks.free |= {"/tasks": 5, "/caches": 5}
        self.assertTrue(is_on_disk_of("/tasks/x", ["/caches/c"]))


class NothingRequired(PlacesCase):
    def test_nor_of_files_where_nothing_is_kept(self) -> None:
        self.disks.files["/tasks"] = (3000, 5)
        places = Places([Need("/tasks/t", 0), Need("/state/s", 8 * MEGABYTE)], ["/caches/c"])
        self.assertEqual(places.short(Pressure.USUAL), [])


class ADiskOfCachesAlone(PlacesCase):
    def test_has_as_much_free_as_one_of_tasks(self) -> None:
        self.disks.free |= {"/caches": 40}
        self.assertEqual(self.short(tasks=60), {"/caches": 20})

    def test_but_a_small_one_no_more_than_a_tenth(self) -> None:
        self.disks.free |= {"/caches": 40, "/tasks": 1000}
        self.assertEqual(self.short(tasks=900), {"/caches": 60})


class Pressed(PlacesCase):
    def test_a_tenth_of_each_is_wanted_if_that_is_more(self) -> None:
        self.disks.free |= {"/tasks": 70, "/state": 70, "/caches": 70}
        self.assertEqual(self.short(tasks=10), {})
        self.assertEqual(self.short(tasks=10, pressure=Pressure.FULL), {"/tasks": 30, "/state": 30, "/caches": 30})

    def test_of_a_very_large_disk_not_so_much(self) -> None:
        gigabyte, free = 1 << 30, 7
        self.patch(Disk, "of", lambda path: Disk(1, 2000 * gigabyte, free * gigabyte))
        [short] = Places([Need("/tasks/t", 0)], ["/caches/c"]).short(Pressure.FULL)
        self.assertEqual(short.bytes, 3 * gigabyte)

    def test_also_where_nothing_is_required(self) -> None:
        self.disks.free |= {"/tasks": 70}
        self.assertEqual(self.short(tasks=0, pressure=Pressure.FULL), {"/tasks": 30})

    def test_what_is_required_stays_the_least(self) -> None:
        self.disks.free |= {"/tasks": 250}
        self.assertEqual(self.short(tasks=300, pressure=Pressure.FULL), {"/tasks": 50})
