"""Definitions of tasks that the queue should not have let pass."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload
from tcworker.task.definition import check_definition
from tcworker.testing.context import FakeTaskContext


class Definitions(SynchronousTestCase):
    """Parts beside the payload."""

    def setUp(self) -> None:
        self.task = FakeTaskContext(Clock()).task

    def faults(self, **changes: Any) -> tuple[str, ...]:
        error = self.assertRaises(MalformedPayload, check_definition, {**self.task, **changes})
        assert isinstance(error, MalformedPayload)
        return error.messages

    def test_the_usual_one(self) -> None:
        check_definition({**self.task, "dependencies": ["a"], "routes": [], "tags": {}, "extra": {"x": 1}})

    def test_what_is_missing_is_empty(self) -> None:
        check_definition({})

    def test_each_part_is_named(self) -> None:
        for name in ("scopes", "dependencies", "routes"):
            self.assertEqual(self.faults(**{name: "x"}), (f"task.{name} is not a list",))
            self.assertEqual(self.faults(**{name: ["x", 7]}), (f"task.{name}[1] is not a text",))
        for name in ("metadata", "tags", "extra"):
            self.assertEqual(self.faults(**{name: []}), (f"task.{name} is not an object",))
        self.assertEqual(self.faults(taskGroupId=None), ("task.taskGroupId is not a text",))

    def test_all_faults_at_once(self) -> None:
        self.assertEqual(len(self.faults(scopes=None, extra=None)), 2)
