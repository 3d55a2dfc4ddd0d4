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
