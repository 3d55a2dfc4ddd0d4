"""Under which names a log is published."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload
from tcworker.task.log_names import LOGS_SCHEMA, LogNames
from tcworker.task.payload import PayloadSchema


class Names(SynchronousTestCase):
    """As the payload says, or as everybody expects."""

    def test_without_a_word_of_the_payload(self) -> None:
        names = LogNames.from_payload({})
        self.assertEqual(names.live, "public/logs/live.log")
        self.assertEqual(names.backing, "public/logs/live_backing.log")

    def test_one_of_two(self) -> None:
        names = LogNames.from_payload({"logs": {"live": "private/live.log"}})
        self.assertEqual((names.live, names.backing), ("private/live.log", "public/logs/live_backing.log"))

    def test_published_unless_the_payload_says_otherwise(self) -> None:
        self.assertTrue(LogNames.from_payload({"features": {"backingLog": True}}).published)
        self.assertFalse(LogNames.from_payload({"features": {"backingLog": False}}).published)

    def test_of_a_checkpoint_it_is_in_the_folder_of_the_log(self) -> None:
        for backing, checkpoint in (("a/b/c", "a/b/checkpoint.log"), ("a", "checkpoint.log")):
            self.assertEqual(LogNames("live", backing).checkpoint, checkpoint)

    def test_a_checkpoint_takes_no_name_of_the_log(self) -> None:
        self.assertIsNone(LogNames("checkpoint.log", "backing.log").checkpoint)
        self.assertIsNone(LogNames("live.log", "checkpoint.log").checkpoint)

    def test_a_log_that_is_not_published_has_no_checkpoints(self) -> None:
        self.assertIsNone(LogNames(published=False).checkpoint)

    def test_nor_has_one_in_a_folder_whose_name_is_too_long_for_them(self) -> None:
        self.assertIsNone(LogNames(backing="a" * 1020 + "/b").checkpoint)

    def test_both_the_same(self) -> None:
        logs = {"logs": {"live": "public/logs/live_backing.log"}}
        error = self.assertRaises(MalformedPayload, LogNames.from_payload, logs)
        self.assertIn("public/logs/live_backing.log", str(error))

    def test_the_slice_of_the_payload(self) -> None:
        schema = PayloadSchema({"logs": LOGS_SCHEMA})
        schema.check({"logs": {"live": "a", "backing": "b"}})
        schema.check({"features": {"liveLog": False, "backingLog": False}})
        schema.check({})
        for wrong in ({"life": "a"}, {"live": ""}, {"live": "näme"}, {"live": "a\n"}, {"backing": 3}):
            self.assertRaises(MalformedPayload, schema.check, {"logs": wrong})
