from __future__ import annotations

import os
from datetime import timedelta

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tcworker.errors import MalformedPayload, NamingConflict, NotFound, TaskFailed, TooLate
from tcworker.interfaces import Credentials, ErrorArtifact, FileArtifact, ITaskContext
from tcworker.task import speed
from tcworker.task.claim import read_date
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.files import File, Files


class FakeTaskContextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeTaskContext(self.clock, {"a": 1}, task={"scopes": ["queue:route:*", "secret:x"]})
        self.addCleanup(self.context.close)

    def test_has_all_that_a_context_has(self) -> None:
        self.assertTrue(verifyObject(ITaskContext, self.context))
        self.assertEqual(self.context.task["payload"], self.context.payload)
        self.assertEqual(read_date(self.context.task["deadline"]), self.context.deadline)

    def test_publishing_a_file_keeps_what_was_in_it(self) -> None:
        files = Files()
        files.make("out.txt", File(b"content"))
        file = files.archive_file("out.txt")
        artifact = FileArtifact("public/out.txt", self.context.expires, file)
        self.successResultOf(self.context.publish(artifact))
        self.assertEqual(self.context.published, [artifact])
        self.assertEqual(self.context.stored, {"public/out.txt": b"content"})
        self.assertTrue(file.closed)

    def test_publishing_a_file_that_has_gone_fails(self) -> None:
        files = Files()
        files.make("out.txt", File(b"content"))
        file = files.archive_file("out.txt")
        files.remove("out.txt")
        publishing = self.context.publish(FileArtifact("public/out.txt", self.context.expires, file))
        self.failureResultOf(publishing, NotFound)
        self.assertEqual(self.context.published, [])

    def test_publishing_a_file_that_comes_too_late_fails(self) -> None:
        files = Files()
        files.make("out.txt", File(b"content"))
        self.patch(speed, "ASSUMED", 1.0)
        self.context.haste.begin(10.0)
        self.assertEqual((self.context.in_haste(), self.context.time_left()), (True, 5.0))
        self.assertEqual(self.context.seconds_to_publish(7), 7.0)
        publishing = self.context.publish(FileArtifact("a", self.context.expires, files.archive_file("out.txt")))
        self.failureResultOf(publishing, TooLate)

    def test_publishing_something_without_content(self) -> None:
        artifact = ErrorArtifact("public/x", self.context.expires, "file-missing-on-worker", "gone")
        self.successResultOf(self.context.publish(artifact))
        self.assertEqual((self.context.published, self.context.stored), ([artifact], {}))

    def test_what_is_reserved_is_published_by_its_owner_alone(self) -> None:
        publish = self.context.reserve("public/own.json")
        artifact = ErrorArtifact("public/own.json", self.context.expires, "file-missing-on-worker", "it is gone")
        self.failureResultOf(self.context.publish(artifact), NamingConflict)
        self.assertEqual(self.context.published, [])
        self.successResultOf(publish(artifact))
        self.assertEqual(self.context.published, [artifact])

    def test_scopes_of_one_alternative_are_enough(self) -> None:
        self.successResultOf(self.context.require_scopes("worker:x", {"AllOf": ["queue:route:a", "secret:x"]}))

    def test_lacking_scopes_are_named(self) -> None:
        lacking = self.failureResultOf(self.context.require_scopes("worker:x", "worker:y"), MalformedPayload)
        self.assertIn("worker:x, or worker:y", str(lacking.value))

    def test_new_credentials_reach_those_who_asked_and_the_queue(self) -> None:
        told: list[str] = []
        leave = self.context.on_credentials(lambda credentials: told.append(credentials.client_id))
        self.context.replace_credentials(Credentials("second", "secret"))
        leave()
        self.context.replace_credentials(Credentials("third", "secret"))
        self.assertEqual(told, ["second"])
        self.context.queue.status("A")
        self.assertEqual(self.context.queue.calls[0].credentials, Credentials("third", "secret"))

    def test_errors_and_masks_are_kept(self) -> None:
        error = TaskFailed("no")
        self.context.fail(error)
        self.context.mask("hunter2")
        self.context.log.write(b"hunter2 now")
        self.assertEqual(self.context.errors, [error])
        self.assertEqual(self.context.log.text, "[masked] now")

    def test_its_folder_is_made_when_asked_for_and_goes_with_it(self) -> None:
        folder = self.context.folder
        self.assertTrue(os.path.isdir(folder))
        self.context.close()
        self.assertFalse(os.path.exists(folder))

    def test_its_dates_are_by_the_clock(self) -> None:
        later = FakeTaskContext(self.clock)
        self.clock.advance(60)
        self.assertEqual(FakeTaskContext(self.clock).deadline - later.deadline, timedelta(seconds=60))
