"""YAML, and what is done to readers of YAML."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.faults import ApiError
from tcworker.embedded.page.yaml_reader import read_yaml


class YamlReader(SynchronousTestCase):
    def refused(self, text: str) -> str:
        return self.assertRaises(ApiError, read_yaml, text).message

    def test_a_task(self) -> None:
        text = "payload:\n  command:\n    - [echo, hello]\n  maxRunTime: 60\nretries: 0\nextra: {x: null, y: 1.5}\n"
        expected = {
            "payload": {"command": [["echo", "hello"]], "maxRunTime": 60},
            "retries": 0,
            "extra": {"x": None, "y": 1.5},
        }
        self.assertEqual(read_yaml(text), expected)

    def test_json(self) -> None:
        self.assertEqual(read_yaml('{"a": ["b", true, null]}'), {"a": ["b", True, None]})

    def test_nothing(self) -> None:
        self.assertEqual((read_yaml(""), read_yaml("# nothing\n")), (None, None))

    def test_dates_stay_text(self) -> None:
        self.assertEqual(read_yaml("deadline: 2026-01-01T00:00:00Z"), {"deadline": "2026-01-01T00:00:00Z"})

    def test_aliases(self) -> None:
        self.assertEqual(read_yaml("a: &x {b: 1}\nc: *x"), {"a": {"b": 1}, "c": {"b": 1}})

    def test_aliases_that_would_fill_the_memory(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
        self.assertIn("50000 values", self.refused("\n".join(lines)))

    def test_an_alias_of_what_it_is_in(self) -> None:
        self.assertIn("deep", self.refused("&a [*a]"))

    def test_merging(self) -> None:
        self.assertIn("line 2", self.refused("a: &x {b: 1}\nc: {<<: *x}"))

    def test_nesting(self) -> None:
        for levels in (100, 100_000):
            self.assertIn("deep", self.refused("[" * levels + "]" * levels))

    def test_what_json_has_no_word_for(self) -> None:
        for text in (
            "a: .inf",
            "a: -.INF",
            "a: .nan",
            "a: !!binary aGk=",
            "a: !!python/object:os.system x",
            "a: !!set {x}",
        ):
            self.assertIn("line 1", self.refused(text))
        self.assertIn("number", self.refused("a: " + "9" * 5000))
        self.assertIn("number", self.refused("a: 0x" + "f" * 5000))

    def test_keys(self) -> None:
        self.assertIn("twice", self.refused("a: 1\na: 2"))
        for text in ("1: a", "[a]: b", "~: a"):
            self.assertIn("key", self.refused(text))

    def test_more_than_one_document_and_what_is_none(self) -> None:
        for text in ("a\n---\nb", "a: b: c", "\x00", "a: 'b"):
            self.assertIn("not YAML", self.refused(text))
