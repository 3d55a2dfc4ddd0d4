"""What one task may have."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher.limits import NO_LIMITS, Limits


class LimitsTests(SynchronousTestCase):
    """As people write them, and as control groups take them."""

    def test_megabytes(self):
        limits = Limits.of_megabytes(256, None, 1.5)
        self.assertEqual(limits, Limits(256 << 20, None, 1.5))
        self.assertEqual((limits.megabytes, limits.controllers), (256, {"memory", "cpu"}))

    def test_none(self):
        self.assertEqual(Limits.of_megabytes(None, None, None), NO_LIMITS)
        self.assertIsNone(NO_LIMITS.megabytes)
