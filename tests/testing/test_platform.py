from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import Discarded, InternalError, MalformedPayload, ResourceUnavailable, SandboxAborted
from tcworker.interfaces import IResult
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.platform import FakePlatform
from tcworker.testing.sandbox import FakeExecution


class FakePlatformTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.platform = FakePlatform(self.clock)

    def context(self, *script: dict[str, Any], **more: Any) -> FakeTaskContext:
        context = FakeTaskContext(self.clock, {"script": script, **more})
        self.addCleanup(context.close)
        return context

    def start(self, *script: dict[str, Any]) -> FakeExecution:
        self.successResultOf(self.platform.new_engine(self.context(*script)).start())
        return self.platform.executions[-1]

    def result(self, execution: FakeExecution) -> IResult:
        return self.successResultOf(execution.when_finished())

    def test_nothing_happens_but_by_the_clock(self) -> None:
        execution = self.start({"exit": 3})
        self.assertNoResult(execution.when_finished())
        self.clock.advance(0)
        result = self.result(execution)
        self.assertFalse(result.success)
        self.assertEqual(result.commands[0].exit.status, 3)

    def test_a_script_sleeps_by_the_clock(self) -> None:
        context = self.context({"print": "a"}, {"sleep": 10}, {"print": "b"})
        execution = self.successResultOf(self.platform.new_engine(context).start())
        self.clock.pump([0, 9.9])
        self.assertEqual(context.log.text, "a\n")
        self.clock.advance(0.2)
        self.assertEqual(context.log.text, "a\nb\n")
        self.assertTrue(self.result(execution).success)
        self.assertAlmostEqual(self.result(execution).commands[0].wall, 10.1)

    def test_sigterm_ends_a_script_at_once(self) -> None:
        execution = self.start({"sleep": 10})
        self.clock.advance(0)
        execution.kill("cancelled", 5)
        result = self.result(execution)
        self.assertEqual((result.success, result.killed, result.commands[0].exit.signal), (False, "cancelled", 15))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_script_that_ignores_sigterm_ends_after_the_grace(self) -> None:
        execution = self.start({"ignore_term": True}, {"sleep": 60})
        self.clock.advance(0)
        execution.kill("cancelled", 5)
        self.clock.advance(4.9)
        self.assertNoResult(execution.when_finished())
        self.clock.advance(0.1)
        self.assertEqual(self.result(execution).commands[0].exit.signal, 9)

    def test_the_shorter_grace_wins_and_the_first_reason(self) -> None:
        execution = self.start({"ignore_term": True}, {"sleep": 60})
        self.clock.advance(0)
        execution.kill("first", 20)
        execution.kill("second", 2)
        execution.kill("third", 20)
        self.clock.advance(2)
        self.assertEqual(self.result(execution).killed, "first")

    def test_abort_leaves_nothing(self) -> None:
        execution = self.start({"daemon": "d"}, {"sleep": 60})
        self.clock.advance(0)
        self.successResultOf(execution.abort("claim lost"))
        self.failureResultOf(execution.when_finished(), SandboxAborted)
        self.assertEqual((self.platform.machine.sandboxes, self.clock.getDelayedCalls()), ({}, []))

    def test_a_broken_sandbox_says_why_and_leaves_nothing(self) -> None:
        execution = self.start({"error": {"reason": "resource-unavailable", "message": "disk full"}})
        self.clock.advance(0)
        self.assertEqual(str(self.failureResultOf(execution.when_finished(), ResourceUnavailable).value), "disk full")
        self.assertEqual(self.platform.machine.sandboxes, {})

    def test_out_of_memory(self) -> None:
        execution = self.start({"out_of_memory": True})
        self.clock.advance(0)
        self.assertTrue(self.result(execution).out_of_memory)

    def test_a_start_takes_the_time_it_is_told(self) -> None:
        starting = self.platform.new_engine(self.context(start={"seconds": 3})).start()
        self.assertNoResult(starting)
        self.clock.advance(3)
        self.successResultOf(starting)

    def test_a_start_fails_as_it_is_told(self) -> None:
        context = self.context(start={"seconds": 3, "reason": "internal-error", "message": "broken"})
        starting = self.platform.new_engine(context).start()
        self.clock.advance(3)
        self.failureResultOf(starting, InternalError)
        self.assertEqual(self.platform.machine.sandboxes, {})

    def test_discard_ends_a_start(self) -> None:
        engine = self.platform.new_engine(self.context(start={"seconds": 3}))
        starting = engine.start()
        self.successResultOf(engine.discard())
        self.failureResultOf(starting, Discarded)
        self.assertEqual((self.platform.machine.sandboxes, self.clock.getDelayedCalls()), ({}, []))

    def test_a_payload_can_be_malformed(self) -> None:
        with self.assertRaises(MalformedPayload):
            self.platform.new_engine(self.context(malformed="no command"))

    def test_a_platform_with_a_sandbox_cannot_be_disposed(self) -> None:
        self.start({"sleep": 60})
        with self.assertRaises(AssertionError):
            self.platform.dispose()
