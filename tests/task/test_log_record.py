"""What is kept beside a log for the process that may have to publish it."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import Cause, ResourceUnavailable, TaskFailed
from tcworker.task import log_record
from tcworker.task.claim import read_date
from tcworker.task.log_names import LogNames
from tcworker.task.log_record import NAME, LogRecord, RecordFile, RecordUnreadable
from tcworker.task.masking import Masker
from tcworker.task.masks import LogMasks
from tcworker.task.resolution import CANCELED
from tcworker.task.verdict import BY_QUEUE, by_error
from tcworker.testing.facilities import NoThreads

EXPIRES = read_date("2031-01-31T12:00:00.000Z")
ANY_BYTES = bytes(range(256))


class RecordTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = Path(self.folder, NAME)

    def begin(self, *literals: bytes, patterns: tuple[str, ...] = ()) -> RecordFile:
        record = LogRecord(1000, EXPIRES, patterns=patterns, literals=literals)
        return RecordFile.begin(self.folder, record, NoThreads())

    def read(self) -> LogRecord:
        return LogRecord.read(self.folder)


class WhatIsKept(RecordTest):
    def test_all_that_was_known_at_the_beginning(self) -> None:
        self.begin(b"secret", ANY_BYTES, patterns=("token=[a-z]+",))
        self.assertEqual(self.read(), LogRecord(1000, EXPIRES, LogNames(), ["token=[a-z]+"], [b"secret", ANY_BYTES]))

    def test_and_all_that_came_to_be_known(self) -> None:
        record = self.begin(b"secret")
        record.mask([b"another"])
        record.name(LogNames("live", "folder/backing", False))
        record.mask([ANY_BYTES])
        read = self.read()
        self.assertEqual(read.literals, [b"secret", b"another", ANY_BYTES])
        self.assertEqual(read.names, LogNames("live", "folder/backing", False))

    def test_that_a_checkpoint_may_be_listed(self) -> None:
        record = self.begin()
        self.assertFalse(self.read().has_checkpoint)
        record.checkpoint()
        self.assertTrue(self.read().has_checkpoint)

    def test_that_the_whole_log_is_where_it_belongs(self) -> None:
        record = self.begin()
        record.name(LogNames("live", "folder/backing"))
        self.assertFalse(self.read().is_published)
        record.published()
        self.assertEqual((self.read().is_published, self.read().has_verdict), (True, False))

    def test_that_the_verdict_is(self) -> None:
        record = self.begin()
        record.verdict_published()
        self.assertEqual((self.read().is_published, self.read().has_verdict), (False, True))

    def test_what_the_next_process_has_to_add(self) -> None:
        self.begin(b"secret")
        RecordFile(self.folder, NoThreads()).mask([b"another"])
        self.assertEqual(self.read().literals, [b"secret", b"another"])

    def test_how_long_the_worker_had_when_it_was_first_told_to_go(self) -> None:
        record = self.begin()
        self.assertIsNone(self.read().seconds_left)
        record.going(29.5)
        record.going(5)
        self.assertEqual(self.read().seconds_left, 29.5)

    def test_why_the_run_ends_whatever_a_feature_has_for_evidence(self) -> None:
        record = self.begin()
        self.assertIsNone(self.read().verdict)
        record.ends(BY_QUEUE[CANCELED], EXPIRES)
        failed = by_error(
            TaskFailed("all is wrong", cause=Cause.CACHE, evidence={"cache": "ccache", "path": Path("/x")})
        )
        record.ends(failed, EXPIRES)
        known = replace(failed, evidence={"cache": "ccache", "path": "/x"})
        self.assertEqual(self.read().verdict, (known, EXPIRES))

    def test_only_the_worker_can_read_it(self) -> None:
        self.begin(b"secret").mask([b"another"])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_nothing_shows_it(self) -> None:
        self.begin(b"secret", patterns=("hidden",))
        for word in ("secret", "hidden"):
            self.assertNotIn(word, repr(self.read()))

    def test_it_masks_what_the_dead_worker_did_and_what_this_one_does(self) -> None:
        self.begin(b"secret", patterns=("token=[a-z]+",))
        masks = self.read().masks(LogMasks.from_config(["another", {"pattern": "key=[a-z]+"}]))
        masker = Masker(masks.literals, list(masks.patterns.values()))
        text = masker.feed(b"secret, another, token=abc, key=abc\n") + masker.flush()
        self.assertEqual(text, b", ".join([b"[masked]"] * 4) + b"\n")


class WhatCannotBeRead(RecordTest):
    """A log of which not all is known that must not be seen stays where it is."""

    def assertUnreadable(self) -> None:
        error = self.assertRaises(RecordUnreadable, self.read)
        self.assertNotIn("secret", str(error))

    def test_none(self) -> None:
        self.assertUnreadable()

    def test_one_that_was_not_written_to_its_end(self) -> None:
        record = self.begin(b"secret")
        record.mask([b"another"])
        whole = self.path.read_bytes()
        for size in range(len(whole)):
            self.path.write_bytes(whole[:size])
            if not whole[:size].endswith(b"\n"):
                self.assertUnreadable()

    def test_one_that_somebody_has_changed(self) -> None:
        for text in (b"secret\n", b"[]\n", b"3\n", b'{"limit": 3}\n', b"\xff\n", b"null\n"):
            self.path.write_bytes(text)
            self.assertUnreadable()

    def test_a_pattern_that_this_worker_does_not_know(self) -> None:
        self.begin(patterns=("secret(",))
        error = self.assertRaises(RecordUnreadable, self.read().masks, LogMasks())
        self.assertNotIn("secret", str(error))


class FullDisks(RecordTest):
    """Disks that take no more."""

    def test_a_log_cannot_be_begun_without(self) -> None:
        self.path.mkdir()
        error = self.assertRaises(ResourceUnavailable, self.begin)
        self.assertIn(NAME, str(error))

    def test_what_cannot_be_noted_keeps_the_log_from_being_published_and_the_operator_is_told(self) -> None:
        record = self.begin(b"secret")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(record, "_append", full)
        with capturedLogs() as told:
            record.mask([b"another"])
        self.assertRaises(RecordUnreadable, self.read)
        (line,) = [formatEvent(event) for event in told]
        self.assertIn("No space left on device", line)
        self.assertNotIn("another", line)

    def test_half_a_line_is_taken_back(self) -> None:
        self.begin(b"secret")

        def half(descriptor: int, data: bytes) -> None:
            os.write(descriptor, data[:5])
            raise OSError(28, "No space left on device")

        self.patch(log_record, "write_all", half)
        RecordFile(self.folder, NoThreads()).going(30)
        self.assertEqual((self.read().literals, self.read().seconds_left), ([b"secret"], None))

    def test_one_whose_run_is_over_meanwhile_is_nobody_s_trouble(self) -> None:
        self.begin()
        record = self.begin_gone()
        record.mask([b"secret"])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_that_the_worker_must_go_is_not_worth_a_word_of_trouble(self) -> None:
        self.begin()
        record = self.begin_gone()
        with capturedLogs() as told:
            record.going(30)
        self.assertEqual((told, self.path.exists()), ([], False))

    def begin_gone(self) -> RecordFile:
        self.path.unlink()
        record = self.begin()
        self.path.unlink()
        return record
