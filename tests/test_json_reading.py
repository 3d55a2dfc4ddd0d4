"""Reading JSON that may be anything."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.json_reading import at, is_object, place, texts_at
from tests.hypotheses import given

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=10,
)


class Reading(SynchronousTestCase):
    """Places in an answer."""

    answer: Any = {"tasks": [{"runId": 0, "task": {"scopes": ["a", "b"]}}], "done": True}  # noqa: RUF012  # not changed

    def refused(self, says: str, kind: type, *path: str | int) -> None:
        self.assertEqual(str(self.assertRaises(ValueError, at, self.answer, kind, *path)), says)

    def test_what_stands_there(self) -> None:
        self.assertEqual(at(self.answer, int, "tasks", 0, "runId"), 0)
        self.assertIs(at(self.answer, dict), self.answer)
        self.assertEqual(texts_at(self.answer, "tasks", 0, "task", "scopes"), ["a", "b"])

    def test_what_is_missing_is_named_from_where_it_begins_to_be(self) -> None:
        self.refused("there is no tasks[1]", str, "tasks", 1, "task", "name")
        self.refused("there is no tasks[0].tusk", str, "tasks", 0, "tusk", "name")
        self.refused("there is no tasks[0].runId.x", str, "tasks", 0, "runId", "x")

    def test_what_is_something_else(self) -> None:
        self.refused("tasks is not an object", dict, "tasks")
        self.refused("it is not a list", list)
        self.refused("tasks[0].runId is not a text", str, "tasks", 0, "runId")
        self.refused("tasks[0].task.scopes[0] is not a whole number", int, "tasks", 0, "task", "scopes", 0)

    def test_what_is_true_is_no_number(self) -> None:
        self.refused("done is not a whole number", int, "done")

    def test_no_place_before_the_first(self) -> None:
        self.refused("there is no tasks[-1]", dict, "tasks", -1)

    @given(VALUES, st.lists(st.sampled_from(["a", "b", 0, 1, -1]), max_size=4), st.sampled_from([dict, list, str, int]))
    def test_nothing_but_what_was_asked_for_comes_back(self, value: Any, path: list[str | int], kind: type) -> None:
        try:
            found = at(value, kind, *path)
        except ValueError as error:
            self.assertTrue(str(error))
        else:
            self.assertIsInstance(found, kind)
            self.assertNotIsInstance(found, bool)

    def test_places_by_name(self) -> None:
        self.assertEqual(place(("tasks", 0, "task")), "tasks[0].task")

    def test_texts_that_are_objects(self) -> None:
        self.assertTrue(is_object('{"a": 1}'))
        for text in ("", "[]", "null", "no JSON", '{"a":' * 100_000, "[" * 100_000):
            self.assertFalse(is_object(text))
