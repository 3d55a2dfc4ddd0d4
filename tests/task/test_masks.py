"""What is masked in one log, and in all."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.masking import Masker
from tcworker.task.masks import LogMasks

ENTRIES = ["hunter2", {"pattern": "token=[a-z]+"}]


class Masks(SynchronousTestCase):
    def masked(self, masks: LogMasks, text: bytes) -> bytes:
        masker = Masker(masks.literals, list(masks.patterns.values()))
        return masker.feed(text) + masker.flush()

    def test_texts_and_patterns_of_the_configuration(self) -> None:
        masks = LogMasks.from_config(ENTRIES)
        self.assertEqual(self.masked(masks, b"hunter2 token=abc token="), b"[masked] [masked] token=")

    def test_a_log_has_those_of_all_and_more_of_its_own(self) -> None:
        own = LogMasks.from_config(ENTRIES).with_own([b"of this log"])
        self.assertEqual(self.masked(own, b"of this log, hunter2, token=abc"), b"[masked], [masked], [masked]")

    def test_its_own_are_no_other_log_s(self) -> None:
        of_all = LogMasks.from_config(ENTRIES)
        one, other = of_all.with_own([]), of_all.with_own([])
        one.add([b"of this log"])
        for masks in (of_all, other):
            self.assertEqual(self.masked(masks, b"of this log"), b"of this log")

    def test_one_that_is_added_twice_is_looked_for_once(self) -> None:
        masks = LogMasks()
        masks.add([b"secret"])
        masks.add([b"secret", b"another"])
        self.assertEqual(masks.literals, [b"secret", b"another"])

    def test_texts_are_masked_at_once_and_patterns_in_threads(self) -> None:
        self.assertGreater(LogMasks.from_config(["hunter2"]).at_once, 0)
        self.assertEqual(LogMasks.from_config(ENTRIES).at_once, 0)

    def test_a_text_beside_the_log_is_masked_as_a_line_of_it_would_be(self) -> None:
        masks = LogMasks.from_config(ENTRIES).with_own([b"of this log"])
        self.assertEqual(masks.hide("of this log,\nhunter2: token=abc"), "[masked],\n[masked]: [masked]")
        self.assertEqual(masks.hide("na\u00efve \udcff"), "na\u00efve \ufffd")

    def test_nothing_shows_them(self) -> None:
        shown = repr(LogMasks.from_config(ENTRIES))
        for secret in ("hunter2", "token"):
            self.assertNotIn(secret, shown)
