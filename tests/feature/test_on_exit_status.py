"""What an exit status means beside success and failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import IntermittentTask
from tcworker.feature.on_exit_status import OnExitStatusFeature
from tcworker.interfaces import CommandRecord, ExitStatus
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.sandbox import FakeResult
from tests.feature.harness import CONFIG


class Retrying(SynchronousTestCase):
    """A task that asks for another run at 4 and 75."""

    def stopped(self, *statuses: int | None, killed: str | None = None, **on_exit: Any) -> Any:
        payload: Mapping[str, Any] = {"onExitStatus": on_exit or {"retry": [4, 75]}}
        context = FakeTaskContext(Clock(), payload)
        self.addCleanup(context.close)
        feature = OnExitStatusFeature(Clock(), CONFIG).for_task(context)
        commands = [CommandRecord(["x"], ExitStatus(status, None if status is not None else 9)) for status in statuses]
        result = FakeResult(success=False, killed=killed, commands=commands)
        return feature and feature.stopped(result)

    def test_a_status_that_asks_for_it(self) -> None:
        error = self.failureResultOf(self.stopped(0, 75), IntermittentTask).value
        self.assertEqual(
            str(error), "command 1 exited with status 75: payload.onExitStatus.retry asks for another run then"
        )

    def test_the_first_command_counts_as_the_last_one_does(self) -> None:
        self.failureResultOf(self.stopped(4), IntermittentTask)

    def test_success_and_other_failures(self) -> None:
        for status in (0, 1, 74):
            self.successResultOf(self.stopped(status))

    def test_a_signal_is_no_status(self) -> None:
        self.successResultOf(self.stopped(None))

    def test_a_command_that_the_worker_ended_did_not_ask(self) -> None:
        self.successResultOf(self.stopped(75, killed="max run time exceeded"))

    def test_a_task_that_asks_for_nothing(self) -> None:
        self.assertIsNone(self.stopped(75, retry=[]))
        self.assertIsNone(self.stopped(75, purgeCaches=[75]))
