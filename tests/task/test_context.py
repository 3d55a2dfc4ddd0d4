"""One run, as platforms and features see it."""

from __future__ import annotations

import os
from typing import Any, cast
from unittest.mock import patch

from twisted.internet.defer import DeferredSemaphore, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.http import HTTP
from tcworker.config import Config
from tcworker.errors import MalformedPayload, NamingConflict, ResourceUnavailable, TaskError, TaskFailed, Unreachable
from tcworker.filebody import MemoryFile
from tcworker.interfaces import Credentials, ErrorArtifact, FileArtifact, LinkArtifact, ReferenceArtifact
from tcworker.task.claim import Claim
from tcworker.task.context import MOST_UPLOADS, TaskContext, uploads_of_one
from tcworker.task.log import TaskLog
from tcworker.task.speed import ASSUMED
from tcworker.testing.caches import FakeCaches, FakeCacheWorker
from tcworker.testing.facilities import FakeFacilities
from tcworker.testing.memory import MemoryLog

BACKING = "public/logs/live_backing.log"
LIVE = "public/logs/live.log"


class ContextTest(SynchronousTestCase):
    """A context of a claimed run."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.log = MemoryLog(self.clock)
        self.errors: list[TaskError] = []
        self.uploads = DeferredSemaphore(MOST_UPLOADS)
        self.facilities = FakeFacilities(self.clock, self.mktemp())
        self.haste = self.facilities.new_haste(lambda: 42.0)
        self.begin({"script": []}, ["queue:create:*", "assume:project:x"])

    def begin(self, payload: Any, scopes: list[str]) -> None:
        claim = self.facilities.claim(payload)
        claim = Claim(claim.task_id, 0, {**claim.task, "scopes": scopes}, claim.taken_until, claim.credentials)
        self.context = TaskContext(
            claim,
            clock=self.clock,
            config=self.config(),
            http=cast(HTTP, None),
            time=self.facilities.time,
            folder=self.mktemp(),
            log=cast(TaskLog, self.log),
            threads=self.facilities.threads,
            fail=self.errors.append,
            haste=self.haste,
            uploads=self.uploads,
            caches=lambda platform: FakeCaches(FakeCacheWorker(self.clock), platform.name),
            downloads=self.facilities.downloads,
        )

    def config(self) -> Config:
        return self.facilities.config


class Uploads(SynchronousTestCase):
    """How many of them a run has side by side."""

    def test_all_of_a_worker_s_unless_there_are_others(self) -> None:
        self.assertEqual([uploads_of_one(capacity) for capacity in (1, 2, 8)], [10, 5, 5])


class TheRun(ContextTest):
    """What it knows and passes on."""

    def test_errors_and_time(self) -> None:
        error = TaskFailed("no")
        self.context.fail(error)
        self.assertEqual((self.errors, self.context.time_left()), ([error], 42.0))

    def test_a_worker_that_must_go(self) -> None:
        told: list[bool] = []
        self.context.on_haste(lambda: told.append(self.context.in_haste()))
        unsubscribe = self.context.on_haste(lambda: told.append(False))
        unsubscribe()
        self.assertFalse(self.context.in_haste())
        self.haste.begin(20.0)
        self.assertEqual((told, self.context.in_haste(), self.context.time_left()), ([True], True, 10.0))
        self.assertEqual(self.context.seconds_to_publish(int(3 * ASSUMED)), 3.0)

    def test_masks_go_to_the_log(self) -> None:
        self.context.mask("secret")
        self.log.write(b"a secret")
        self.assertEqual(self.log.text, "a [masked]")

    def test_new_credentials_are_in_no_log(self) -> None:
        self.context.replace_credentials(Credentials("run", "new-token", '{"signature": "signed by"}'))
        self.log.write(b"new-token, signed by whom")
        self.assertEqual(self.log.text, "[masked], [masked] whom")

    def test_new_credentials_are_told_to_all_who_want_to_know(self) -> None:
        told: list[Credentials] = []
        forget = self.context.on_credentials(told.append)
        self.context.on_credentials(lambda _: 1 / 0)  # type: ignore[arg-type]  # it fails
        new = Credentials("run", "new")
        self.context.replace_credentials(new)
        forget()
        forget()
        self.context.replace_credentials(Credentials("run", "newer"))
        self.assertEqual(told, [new])
        self.assertEqual(self.context.credentials.access_token, "newer")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class Scopes(ContextTest):
    """What the task may do."""

    def setUp(self) -> None:
        super().setUp()
        expand = patch.object(self.context._auth, "expand_scopes", self.expand, create=True)
        expand.start()
        self.addCleanup(expand.stop)
        self.expanded: Any = succeed({"scopes": ["queue:create:*", "cache:x"]})
        self.asked = 0

    def expand(self, body: Any) -> Any:
        self.asked += 1
        return self.expanded

    def test_what_it_has_needs_no_question(self) -> None:
        self.successResultOf(self.context.require_scopes("queue:create:high"))
        self.assertEqual(self.asked, 0)

    def test_one_of_several_alternatives_is_enough(self) -> None:
        self.successResultOf(self.context.require_scopes("x", {"AllOf": ["queue:create:a", "queue:create:b"]}))

    def test_what_it_has_by_a_role(self) -> None:
        self.successResultOf(self.context.require_scopes("cache:x"))

    def test_all_that_lack_are_named_and_those_it_has(self) -> None:
        required = self.context.require_scopes({"AllOf": ["cache:x", "cache:y", "cache:z"]}, "cache:*")
        error = str(self.failureResultOf(required, MalformedPayload).value)
        self.assertIn("cache:y, cache:z, or cache:*", error)
        self.assertIn("assume:project:x", error)

    def test_auth_is_away(self) -> None:
        self.expanded = fail(Unreachable("expandScopes", "no answer"))
        error = self.failureResultOf(self.context.require_scopes("cache:x"), ResourceUnavailable)
        self.assertIn("no answer", str(error.value))


class ReservedNames(ContextTest):
    """The names of the logs and of what else the worker publishes itself."""

    def setUp(self) -> None:
        super().setUp()
        self.stored: list[str] = []

        async def store(artifact: Any) -> None:
            self.stored.append(artifact.name)

        publishing = patch.object(self.context._publisher, "publish", store)
        publishing.start()
        self.addCleanup(publishing.stop)

    def publish(self, artifact: Any) -> None:
        self.successResultOf(self.context.publish(artifact))

    def refused(self, artifact: Any) -> None:
        refused = str(self.failureResultOf(self.context.publish(artifact), NamingConflict).value)
        self.assertIn(f"artifact {artifact.name}: the name is reserved", refused)
        self.assertEqual(self.stored, [])

    def test_nobody_else_publishes_under_them(self) -> None:
        self.context.reserve(BACKING)
        self.context.reserve(LIVE)
        self.refused(FileArtifact(BACKING, self.context.expires, MemoryFile("x", b"")))
        self.refused(ErrorArtifact(LIVE, self.context.expires, "file-missing-on-worker", "no"))
        self.refused(LinkArtifact(LIVE, self.context.expires, "public/x", "text/plain"))

    def test_where_a_log_can_be_followed_stands_in_its_place_until_it_is_there(self) -> None:
        publish = self.context.reserve(LIVE)
        self.publish(ReferenceArtifact(LIVE, self.context.expires, "https://example.com/log", "text/plain"))
        self.successResultOf(publish(LinkArtifact(LIVE, self.context.expires, BACKING, "text/plain")))
        self.assertEqual(self.stored, [LIVE, LIVE])

    def test_any_other_file_is_published(self) -> None:
        self.publish(FileArtifact(os.path.basename(BACKING), self.context.expires, MemoryFile("x", b"")))
        self.assertEqual(self.stored, ["live_backing.log"])

    def test_what_a_feature_reserved_only_it_publishes(self) -> None:
        own = self.context.reserve("public/x.json")
        file = FileArtifact("public/x.json", self.context.expires, MemoryFile("x", b""))
        self.refused(file)
        self.successResultOf(own(file))
        self.assertEqual(self.stored, ["public/x.json"])

    def test_no_name_is_reserved_twice(self) -> None:
        self.context.reserve("public/x.json")
        self.assertTrue(self.context.is_reserved("public/x.json"))
        self.assertRaises(NamingConflict, self.context.reserve, "public/x.json")
