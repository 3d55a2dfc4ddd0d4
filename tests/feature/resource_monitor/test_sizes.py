"""Sizes in the log."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.resource_monitor.sizes import in_units


class Sizes(SynchronousTestCase):
    """Numbers of bytes, as people read them."""

    def test_each_has_its_unit(self) -> None:
        sizes = [0, 1023, 1024, 1536, 5 * 2**20, int(2.5 * 2**30), 3000 * 2**30]
        texts = ["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "5.00 MiB", "2.50 GiB", "3000.00 GiB"]
        self.assertEqual([in_units(size) for size in sizes], texts)

    def test_what_rounds_up_to_the_next_unit_is_in_that(self) -> None:
        self.assertEqual([in_units(2**20 - 1), in_units(2**30 - 1)], ["1.00 MiB", "1.00 GiB"])
