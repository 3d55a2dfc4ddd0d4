"""Dates as the services read and write them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import dates


class Dates(SynchronousTestCase):
    def test_of_any_zone_and_precision(self) -> None:
        for text in (
            "2027-01-15T08:00:00Z",
            "2027-01-15T08:00:00.000000+00:00",
            "2027-01-15T09:00:00.000+01:00",
            "2027-01-15t08:00:00.0000z",
        ):
            self.assertEqual(dates.read(text), 1_800_000_000_000, text)

    def test_there_and_back(self) -> None:
        for when in (dates.FIRST, -1, 0, 1, 999, dates.LAST, 1_800_000_000_001, 1_800_000_000_123, 1_800_000_000_999):
            self.assertEqual(dates.read(dates.write(when)), when)

    def test_years_have_four_digits(self) -> None:
        self.assertEqual(dates.write(dates.FIRST), "0001-01-01T00:00:00.000Z")
        self.assertEqual(dates.read("9999-12-31T23:59:59.9999999Z"), dates.LAST)
        for text in ("9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00"):
            for read in (dates.read, dates.read_leniently):
                self.assertRaises(ValueError, read, text)

    def test_as_people_write_them(self) -> None:
        for text in ("2027-01-15", "Jan 15, 2027", "1/15/2027 00:00:00 -0000", "Fri, 15 Jan 2027 01:00:00 +0100"):
            self.assertEqual(dates.write(dates.read_leniently(text)), "2027-01-15T00:00:00.000Z", text)

    def test_what_is_none(self) -> None:
        for text in ("", "soon", "2027-13-45", "99999-01-01", "9" * 400):
            self.assertRaises(ValueError, dates.read_leniently, text)
