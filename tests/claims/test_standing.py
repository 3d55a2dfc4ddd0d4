"""How a worker stands, as people and programs read it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.standing import Standing


class Dates(SynchronousTestCase):
    def test_are_by_the_machine_s_clock(self) -> None:
        standing = Standing("running", 1_800_000_000, "", None, [])
        self.assertEqual(standing.as_json()["since"], "2027-01-15T08:00:00.000Z")
        standing = Standing("running", 1_800_000_000, "", None, [], ahead=3600)
        self.assertEqual(standing.as_json()["since"], "2027-01-15T09:00:00.000Z")
