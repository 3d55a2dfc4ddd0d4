"""What the queue hands out with a claim, and what nobody but a liar would."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.claim import Claim, read_date, write_date
from tcworker.testing.context import TASK_ID
from tcworker.testing.facilities import FakeFacilities

UNREADABLE = (KeyError, TypeError, ValueError)


class Claims(SynchronousTestCase):
    """Claims as JSON."""

    def setUp(self) -> None:
        self.answer = FakeFacilities(Clock(), self.mktemp()).claim_answer()

    def refused(self, **changes: Any) -> None:
        self.assertRaises(UNREADABLE, Claim.from_json, {**self.answer, **changes})

    def test_one_that_can_be_read(self) -> None:
        self.assertEqual(Claim.from_json(self.answer).name, f"{TASK_ID}/0")

    def test_a_task_s_name_that_would_leave_the_folder_of_its_run(self) -> None:
        for name in ("../../x", "a/b", "..", ".", "", "a\0b", "a\n", "x" * 1000, 7, None, ["a"]):
            self.refused(status={"taskId": name})

    def test_a_run_that_has_no_number(self) -> None:
        for number in (-1, 1.5, True, "0", "0/../../../x", None):
            self.refused(runId=number)

    def test_a_claim_whose_end_is_no_date(self) -> None:
        for date in ("soon", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", 1, None):
            self.refused(takenUntil=date)


class Dates(SynchronousTestCase):
    """Dates of the queue."""

    def test_there_and_back(self) -> None:
        noon = datetime(2030, 1, 31, 12, tzinfo=UTC)
        for text in ("2030-01-31T12:00:00.000Z", "2030-01-31T13:00:00+01:00", "2030-01-31T12:00:00"):
            self.assertEqual(read_date(text), noon)
        self.assertEqual(write_date(noon), "2030-01-31T12:00:00.000Z")

    def test_one_that_is_none_in_utc(self) -> None:
        for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"):
            self.assertRaises(ValueError, read_date, text)
