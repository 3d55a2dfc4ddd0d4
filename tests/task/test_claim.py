"""What the queue hands out with a claim, and what nobody but a liar would."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import InternalError, MalformedPayload, TaskError
from tcworker.task.claim import Claim, read_date, write_date
from tcworker.testing.context import TASK_ID
from tcworker.testing.facilities import FakeFacilities


class Claims(SynchronousTestCase):
    """Claims as JSON."""

    def setUp(self) -> None:
        self.answer = FakeFacilities(Clock(), self.mktemp()).claim_answer()

    def refused(self, **changes: Any) -> None:
        self.assertRaises(ValueError, Claim.from_json, {**self.answer, **changes})

    def broken(self, error: type[TaskError], says: str, **changes: Any) -> Claim:
        """A claim that can only be resolved."""
        claim = Claim.from_json({**self.answer, **changes})
        self.assertIsInstance(claim.fault, error)
        self.assertIn(says, str(claim.fault))
        self.assertEqual((claim.name, claim.credentials.access_token), (f"{TASK_ID}/0", "first"))
        return claim

    def test_one_that_can_be_read(self) -> None:
        claim = Claim.from_json(self.answer)
        self.assertEqual((claim.name, claim.fault), (f"{TASK_ID}/0", None))

    def test_a_task_s_name_that_would_leave_the_folder_of_its_run(self) -> None:
        for name in ("../../x", "a/b", "..", ".", "", "a\0b", "a\n", "x" * 1000, 7, None, ["a"]):
            self.refused(status={"taskId": name})

    def test_a_run_that_has_no_number(self) -> None:
        for number in (-1, 1.5, True, "0", "0/../../../x", None, 10**30):
            self.refused(runId=number)

    def test_one_without_credentials_that_could_sign_anything(self) -> None:
        good = self.answer["credentials"]
        for changes in (
            {"clientId": None},
            {"clientId": 'a"b'},
            {"clientId": ""},
            {"accessToken": 7},
            {"accessToken": "\ud800"},
            {"certificate": "no JSON"},
            {"certificate": "[]"},
            {"certificate": '{"a":' * 100_000},
            {"certificate": {}},
        ):
            self.refused(credentials={**good, **changes})
        for credentials in (None, [], "", {}):
            self.refused(credentials=credentials)

    def test_what_is_no_claim_at_all(self) -> None:
        for answer in (None, [], "x", 1, {}, {"status": None}, {"status": {"taskId": TASK_ID}}):
            self.assertRaises(ValueError, Claim.from_json, answer)

    def test_one_that_cannot_be_read_shows_none_of_its_secrets(self) -> None:
        for key in ("clientId", "accessToken", "certificate"):
            credentials = {**self.answer["credentials"], key: ["hush"]}
            error = self.assertRaises(ValueError, Claim.from_json, {**self.answer, "credentials": credentials})
            self.assertNotIn("hush", str(error))

    def test_a_claim_whose_end_is_no_date_can_be_resolved(self) -> None:
        for date in ("soon", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", 1, None):
            self.broken(InternalError, "takenUntil", takenUntil=date)

    def test_until_when_is_then_for_the_reader_to_say(self) -> None:
        until = datetime(2030, 1, 1, tzinfo=UTC)
        self.assertEqual(Claim.from_json({**self.answer, "takenUntil": None}, until).taken_until, until)

    def test_so_can_one_of_a_task_that_is_none(self) -> None:
        for task in (None, [], "x", {}):
            claim = self.broken(MalformedPayload, "task", task=task)
            self.assertEqual(claim.taken_until, read_date(self.answer["takenUntil"]))

    def test_and_one_of_a_task_without_its_dates(self) -> None:
        for key in ("deadline", "expires"):
            for date in (None, "never", 7):
                self.broken(MalformedPayload, key, task={**self.answer["task"], key: date})


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
