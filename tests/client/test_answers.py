"""Answers that are JSON, but not Taskcluster's: none of them is believed, and none is shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.answers import check, read_renewal, reading
from tcworker.client.trouble import UnexpectedAnswer
from tcworker.interfaces import Credentials

CREDENTIALS = {"clientId": "run", "accessToken": "token"}
RESOLVED = {"status": {"taskId": "task"}}
STATUS: dict[str, Any] = {"status": {"runs": []}}
S3 = {"storageType": "s3", "putUrl": "https://x", "contentType": "text/plain"}
OBJECT = {"storageType": "object", "name": "n", "projectId": "p", "uploadId": "u", "expires": "2030-01-01"}

GOOD: list[tuple[str, Any, Any]] = [
    ("claimWork", {}, {"tasks": []}),
    ("reclaimTask", None, {"takenUntil": "2030-01-01T00:00:00Z", "credentials": CREDENTIALS}),
    ("reportCompleted", None, RESOLVED),
    ("reportFailed", None, RESOLVED),
    ("reportException", {}, RESOLVED),
    ("status", None, STATUS),
    ("statuses", {"taskIds": ["task"]}, {"statuses": [{"taskId": "task", **STATUS}]}),
    ("createArtifact", {"storageType": "s3"}, S3),
    ("createArtifact", {"storageType": "object"}, {**OBJECT, "credentials": CREDENTIALS}),
    ("createArtifact", {"storageType": "link"}, {"storageType": "link"}),
    ("createUpload", {}, {"uploadMethod": {"putUrl": {"url": "https://x", "headers": {"a": "b"}}}}),
    ("finishUpload", {}, {}),
    ("expandScopes", {"scopes": []}, {"scopes": ["a"]}),
]
"""Each call whose answer is looked at, what it is given and what it is answered with."""

FINE_WITHOUT: list[Any] = [
    # There may be no method that both sides know, and no header that an upload needs.
    {"uploadMethod": {}},
    {"uploadMethod": {"putUrl": {"url": "https://x", "headers": {}}}},
]


class Shapes(SynchronousTestCase):
    def refused(self, method: str, body: Any, answer: Any, status: int = 200) -> UnexpectedAnswer:
        error = self.assertRaises(UnexpectedAnswer, check, method, status, answer, body)
        self.assertTrue(error.may_pass)
        return error

    def test_a_good_one_passes(self) -> None:
        for method, body, answer in GOOD:
            check(method, 200, answer, body)

    def test_any_other_json_is_none(self) -> None:
        for method, body, good in GOOD:
            for answer in (None, [], {}, "x", 7, True):
                if answer != good:
                    self.refused(method, body, answer)

    def test_one_that_lacks_something_or_has_something_else_there_is_none(self) -> None:
        for method, body, good in GOOD:
            for answer in _broken(good):
                if answer not in FINE_WITHOUT:
                    self.refused(method, body, answer)

    def test_no_secret_of_it_is_shown(self) -> None:
        for method, body, good in GOOD:
            for answer in _broken(good):
                if "hush" in str(answer):
                    error = self.refused(method, body, answer)
                    self.assertNotIn("hush", f"{error} {error!r}")

    def test_an_artifact_of_another_kind_than_was_asked_for(self) -> None:
        self.refused("createArtifact", {"storageType": "object"}, {"storageType": "link"})

    def test_each_status_counts_that_was_asked_for(self) -> None:
        fine = {"taskId": "task", **STATUS}
        for broken in (None, {}, {**fine, "taskId": 7}, {**fine, "status": {"runs": None}}):
            self.refused("statuses", {}, {"statuses": [fine, broken]})

    def test_what_answers_nothing_says_so_by_its_status(self) -> None:
        for answer in (None, {}):
            self.refused("finishArtifact", {}, answer)
        check("finishArtifact", 204, None, {})

    def test_what_is_answered_with_anything_may_be(self) -> None:
        check("task", 200, [], None)


class Renewals(SynchronousTestCase):
    def test_what_a_reclaim_brings(self) -> None:
        answer = {"takenUntil": "2030-01-01T00:00:00Z", "credentials": CREDENTIALS}
        renewal = reading("reclaimTask", read_renewal, answer)
        self.assertEqual(renewal.taken_until, datetime(2030, 1, 1, tzinfo=UTC))
        self.assertEqual(renewal.credentials, Credentials("run", "token"))

    def test_one_that_is_none_names_the_call_and_the_place(self) -> None:
        error = self.assertRaises(UnexpectedAnswer, reading, "reclaimTask", read_renewal, {"takenUntil": "soon"})
        self.assertIn("reclaimTask: answered JSON of another shape: takenUntil is no date", str(error))


def _broken(answer: Any) -> Iterator[Any]:
    """An answer with something missing, or something else, at each of its places, one after the other."""
    for key, value in answer.items() if isinstance(answer, dict) else ():
        yield {other: it for other, it in answer.items() if other != key}
        yield {**answer, key: "hush" if isinstance(value, list) else ["hush"]}
        yield from ({**answer, key: inner} for inner in _broken(value))
