"""What a look at a disk says of it, and when that is too little."""

from __future__ import annotations

import os
import shutil
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.watch.disks import FILES, MEGABYTE, Disk, Need


class ALook(SynchronousTestCase):
    def test_it_says_what_the_system_says(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        disk, usage = Disk.of(folder), shutil.disk_usage(folder)
        self.assertEqual((disk.device, disk.size), (os.stat(folder).st_dev, usage.total))
        self.assertAlmostEqual(disk.free / disk.size, usage.free / usage.total, 1)

    def test_a_folder_that_is_not_there(self) -> None:
        self.assertRaises(FileNotFoundError, Disk.of, self.mktemp())


class Lacking(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk: Disk | OSError = Disk(1, 100 * MEGABYTE, 10 * MEGABYTE)
        self.patch(Disk, "of", self.of)

    def of(self, path: str) -> Disk:
        if isinstance(self.disk, OSError):
            raise self.disk
        return self.disk

    def lack(self, megabytes: int) -> str:
        return Need("/disk", megabytes * MEGABYTE).lack()

    def on_disk(self, **found: Any) -> None:
        self.disk = Disk(1, 100 * MEGABYTE, 10 * MEGABYTE, **found)

    def test_as_much_as_is_needed_is_enough(self) -> None:
        self.assertEqual(self.lack(10), "")

    def test_less_is_said_with_how_much(self) -> None:
        text = "the disk of /disk has 10 MiB free, 2 MiB less than the 12 that a task needs there"
        self.assertEqual(self.lack(12), text)

    def test_one_that_has_no_room_for_files_is_full_with_most_bytes_free(self) -> None:
        self.on_disk(files=100_000_000, free_files=FILES - 3)
        self.assertIn(f"has room for {FILES - 3} files more, 3 less", self.lack(10))
        self.on_disk(files=100_000_000, free_files=FILES)
        self.assertEqual(self.lack(10), "")

    def test_of_a_small_one_a_hundredth_is_enough(self) -> None:
        self.on_disk(files=3000, free_files=30)
        self.assertEqual(self.lack(10), "")
        self.on_disk(files=3000, free_files=29)
        self.assertIn("1 less", self.lack(10))

    def test_where_nobody_counts_files_any_number_fits(self) -> None:
        self.on_disk(files=0, free_files=0)
        self.assertEqual(self.lack(10), "")

    def test_one_that_is_gone_has_none(self) -> None:
        self.disk = FileNotFoundError(2, "No such file or directory")
        self.assertEqual(self.lack(1), "nobody knows how much is free on the disk of /disk (No such file or directory)")

    def test_where_nothing_is_needed_nothing_is_looked_at(self) -> None:
        self.disk = FileNotFoundError(2, "No such file or directory")
        self.assertEqual(self.lack(0), "")
