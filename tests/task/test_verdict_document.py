"""The document that says why a run was not completed."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from jsonschema import Draft7Validator
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tcworker.causes import Cause
from tcworker.config import Config
from tcworker.errors import (
    IntermittentTask,
    InternalError,
    MalformedPayload,
    ResourceUnavailable,
    TaskFailed,
    WorkerShutdown,
)
from tcworker.interfaces import Credentials
from tcworker.task.log_names import LogNames
from tcworker.task.resolution import FAILED, resolution_of
from tcworker.task.verdict import Verdict, by_death, by_error, by_resolution
from tcworker.task.verdict_document import verdict_artifact, verdict_name, write_verdict
from tcworker.task.verdict_schema import VERDICT_SCHEMA
from tcworker.testing.context import read_archived
from tests.documented_tests import DOCS
from tests.verdicts import read_verdict

CONFIG = Config(
    root_url="https://tc.example.com",
    credentials=Credentials("worker", "secret"),
    provisioner_id="proj",
    worker_type="builds",
    worker_group="eu",
    worker_id="w1",
)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
COMMAND = {"number": 0, "seconds": 1.5, "peakMemory": 0}

EVIDENCE: Mapping[Cause, Mapping[str, Any]] = {
    Cause.EXIT_STATUS: {"command": {**COMMAND, "status": 3}},
    Cause.SIGNAL: {"command": {**COMMAND, "signal": "SIGSEGV"}},
    Cause.NOT_STARTED: {"command": {**COMMAND, "problem": "x was not found"}},
    Cause.MAX_RUN_TIME: {"seconds": 60},
    Cause.IDLE_OUTPUT: {"seconds": 60},
    Cause.MALFORMED_PAYLOAD: {"problems": ["payload.x: found an unknown key"]},
    Cause.ARTIFACT_MISSING: {"artifact": "public/x", "reason": "file-missing-on-worker"},
    Cause.NO_DISK: {"path": "/tasks", "error": "No space left on device"},
    Cause.UPLOAD_REFUSED: {"what": "artifact public/x", "error": "404"},
    Cause.TASKCLUSTER_AWAY: {"what": "artifact public/x", "error": "503"},
    Cause.WORKER_DIED: {"begun": True},
}
"""As much as there always is."""


def written(verdict: Verdict, **masked: str) -> bytes:
    def mask(text: str) -> str:
        return re.sub("|".join(masked) or "$^", "[masked]", text)

    return write_verdict("dSlITZ4yQgmvxxAi4A8fHQ", 2, CONFIG, verdict, NOON, mask)


class TheDocument(SynchronousTestCase):
    """What is in it."""

    def test_it_says_which_run_how_why_whose_and_where(self) -> None:
        verdict = by_error(TaskFailed("too long", cause=Cause.MAX_RUN_TIME, evidence={"seconds": 7}))
        expected = {
            "version": 1,
            "taskId": "dSlITZ4yQgmvxxAi4A8fHQ",
            "runId": 2,
            "state": "failed",
            "reason": "failed",
            "cause": "max-run-time",
            "whose": "task",
            "message": "too long",
            "evidence": {"seconds": 7},
            "time": "2026-11-25T12:00:00.000Z",
        }
        document = json.loads(written(verdict))
        worker = document.pop("worker")
        self.assertEqual(document, expected)
        worker.pop("tcworker")
        self.assertEqual(worker, {"taskQueueId": "proj/builds", "workerGroup": "eu", "workerId": "w1"})

    def test_with_any_cause_it_is_what_the_schema_says(self) -> None:
        for cause in Cause:
            verdict = Verdict(FAILED, cause, "why", EVIDENCE.get(cause, {}))
            self.assertEqual(read_verdict(written(verdict))["cause"], cause)

    def test_it_is_too_where_no_more_is_known_than_how_a_run_ended(self) -> None:
        kinds = (MalformedPayload, ResourceUnavailable, IntermittentTask, WorkerShutdown, InternalError, TaskFailed)
        for kind in kinds:
            verdict = read_verdict(written(by_resolution(resolution_of(kind("why")))))
            self.assertEqual((verdict["state"], verdict["reason"]), (kind.state, kind.reason))
            self.assertEqual(verdict["whose"], by_error(kind("why")).cause.whose)

    def test_secrets_are_masked_in_every_text(self) -> None:
        evidence = {"problems": ["it is hunter2"], "command": {**COMMAND, "problem": "no hunter2"}, "seconds": 1}
        text = written(Verdict(FAILED, Cause.TASK_FAULT, "hunter2 was wrong", evidence), hunter2="").decode()
        self.assertEqual((text.count("hunter2"), text.count("[masked]")), (0, 3))

    def test_of_what_is_long_the_beginning_is_enough(self) -> None:
        evidence = {"problems": ["x" * 100_000] * 1000}
        content = written(Verdict(FAILED, Cause.MALFORMED_PAYLOAD, "why", evidence))
        self.assertLess(len(content), 2_000_000)
        self.assertEqual(len(read_verdict(content)["evidence"]["problems"]), 100)

    def test_evidence_that_is_no_json_is_told_as_a_text(self) -> None:
        verdict = Verdict(FAILED, Cause.TASK_FAULT, "why", {"artifacts": {NOON: b"x"}, "which": {1}})
        self.assertEqual(read_verdict(written(verdict))["evidence"]["which"], "{1}")

    def test_it_is_published_as_gzip_that_is_json(self) -> None:
        content = written(by_death(begun=True))
        artifact = verdict_artifact("public/logs/verdict.json", NOON, content)
        packed = self.successResultOf(Deferred.fromCoroutine(read_archived(artifact.file)))
        self.assertEqual((gzip.decompress(packed), artifact.length), (content, len(content)))
        self.assertEqual(artifact.content_type, "application/json")


class ItsName(SynchronousTestCase):
    def test_it_is_beside_the_backing_log(self) -> None:
        self.assertEqual(verdict_name(LogNames()), "public/logs/verdict.json")
        self.assertEqual(verdict_name(LogNames(backing="private/run/log")), "private/run/verdict.json")
        self.assertEqual(verdict_name(LogNames(backing="log")), "verdict.json")


class TheSchema(SynchronousTestCase):
    """It tells what is wrong, and is published."""

    def test_it_is_one(self) -> None:
        Draft7Validator.check_schema(VERDICT_SCHEMA)

    def test_each_cause_must_have_its_evidence(self) -> None:
        for cause in EVIDENCE:
            self.assertRaises(AssertionError, read_verdict, written(Verdict(FAILED, cause, "why")))

    def test_whose_it_is_follows_from_the_cause(self) -> None:
        document = json.loads(written(by_death(begun=False)))
        wrong = json.dumps({**document, "whose": "task"}).encode()
        self.assertRaises(AssertionError, read_verdict, wrong)

    def test_a_command_ended_in_one_way(self) -> None:
        for how in ({}, {"status": 1, "signal": "SIGKILL"}):
            verdict = Verdict(FAILED, Cause.EXIT_STATUS, "why", {"command": {**COMMAND, **how}})
            self.assertRaises(AssertionError, read_verdict, written(verdict))

    def test_a_completed_run_has_no_verdict(self) -> None:
        verdict = by_death(begun=True)
        completed = replace(verdict, resolution=replace(FAILED, state="completed", reason="completed"))
        self.assertRaises(AssertionError, read_verdict, written(completed))

    def test_it_stands_in_the_documentation(self) -> None:
        text = (DOCS / "verdict.md").read_text()
        published = text.partition("```json-schema\n")[2].partition("```")[0]
        self.assertEqual(json.loads(published), json.loads(json.dumps(VERDICT_SCHEMA)))

    def test_the_documentation_s_example_is_one(self) -> None:
        text = (DOCS / "verdict.md").read_text()
        read_verdict(text.partition("```json\n")[2].partition("```")[0].encode())

    def test_each_cause_is_explained_with_whose_it_is_and_its_evidence(self) -> None:
        rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| [^|]+ \|([^|]*)\|$", (DOCS / "verdict.md").read_text(), re.M)
        told = {cause: (whose, set(re.findall(r"`(\w+)`", evidence))) for cause, whose, evidence in rows}
        self.assertEqual({cause: told[cause][0] for cause in told}, {str(cause): str(cause.whose) for cause in Cause})
        for cause, evidence in EVIDENCE.items():
            self.assertEqual(evidence.keys() - told[cause][1], set(), cause)
