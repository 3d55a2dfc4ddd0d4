"""Artifacts that are refused before anything runs (contracts of generic-worker, 3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from twisted.internet.task import Clock

from tcworker.errors import MalformedPayload
from tcworker.feature.artifacts.feature import ArtifactsFeature
from tcworker.task.claim import read_date, write_date
from tcworker.task.payload import PayloadSchema
from tests.feature.artifacts.case import ArtifactsTest
from tests.feature.harness import CONFIG


class Judging(ArtifactsTest):
    """What is refused before anything runs."""

    def refused(self, *entries: Mapping[str, Any]) -> tuple[str, ...]:
        self.context.payload = {"artifacts": list(entries)}
        error = self.assertRaises(MalformedPayload, self.judge)
        return cast(MalformedPayload, error).messages

    def judge(self) -> None:
        PayloadSchema({"artifacts": ArtifactsFeature.schema}).check(self.context.payload)
        ArtifactsFeature(Clock(), CONFIG).for_task(self.context)

    def entry(self, seconds: float, name: str = "x") -> Mapping[str, Any]:
        expires = self.context.deadline + timedelta(seconds=seconds)
        return {"type": "file", "path": name, "expires": write_date(expires)}

    def test_the_window_of_expiry(self) -> None:
        last = (self.context.expires - self.context.deadline).total_seconds()
        self.wants(self.entry(-1), self.entry(last + 1, "y"))
        self.judge()
        early = self.entry(-1.5)
        self.assertEqual(
            self.refused(early),
            (
                f"payload.artifacts[0].expires: found {early['expires']}: artifact 'x' expires before task deadline, "
                + write_date(self.context.deadline),
            ),
        )
        late = self.refused(self.entry(last + 1.5))[0]
        self.assertIn(f"'x' expires after task expiry, {write_date(self.context.expires)}", late)

    def test_a_task_that_expires_when_all_dates_end(self) -> None:
        self.context.expires = read_date("9999-12-31T23:59:59.999Z")
        self.context.deadline = read_date("0001-01-01T00:00:00.000Z")
        self.wants({"type": "file", "path": "x", "expires": write_date(self.context.expires)})
        self.judge()

    def test_a_name_twice(self) -> None:
        (fault,) = self.refused({"type": "file", "path": "a"}, {"type": "file", "path": "b", "name": "a"})
        self.assertTrue(fault.startswith("payload.artifacts[1]"))

    def test_a_folder_twice_under_one_name(self) -> None:
        one = {"type": "directory", "path": "out", "name": "public"}
        other = {"type": "directory", "path": "./out/", "name": "public/", "contentType": "x/y"}
        self.assertIn("payload.artifacts[0]", self.refused(one, other)[0])

    def test_two_folders_may_share_a_beginning(self) -> None:
        self.wants(*({"type": "directory", "path": path, "name": "public"} for path in ("a", "b")))
        self.judge()

    def test_as_many_as_a_payload_may_have_values(self) -> None:
        more = {"type": "file", "optional": True, "contentType": "text/plain"}
        self.wants(*({**more, "path": f"{number}", "name": f"public/{number}"} for number in range(1000)))
        self.judge()
        self.assertIn("50000", self.refused(*({"type": "file", "path": f"{number}"} for number in range(20000)))[0])

    def test_an_entry_twice(self) -> None:
        entry = {"type": "file", "path": "a"}
        (fault,) = self.refused(entry, entry)
        self.assertIn("'a' of payload.artifacts[0]", fault)

    def test_all_faults_at_once(self) -> None:
        self.assertEqual(len(self.refused(self.entry(-5, "a"), self.entry(-5, "b"))), 2)

    def test_a_name_that_the_queue_does_not_know(self) -> None:
        self.assertIn("'é'", self.refused({"type": "file", "path": "é"})[0])
        self.wants({"type": "file", "path": "é", "name": "e"})
        self.judge()

    def test_a_type_that_no_header_can_have(self) -> None:
        for kind in ("text/plain\r\nX-Own: 1", "text/\xe9"):
            (fault,) = self.refused({"type": "file", "path": "a", "contentType": kind})
            self.assertTrue(fault.startswith("payload.artifacts[0].contentType: found "))

    def test_the_schema(self) -> None:
        for wrong in (
            {"type": "volume", "path": "a"},
            {"type": "file"},
            {"type": "file", "path": "a", "contentEncoding": "br"},
            {"type": "file", "path": "a", "expires": "soon"},
            {"type": "file", "path": "a", "optinal": True},
        ):
            self.assertTrue(self.refused(wrong)[0].startswith("payload.artifacts[0]"))
