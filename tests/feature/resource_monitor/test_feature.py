"""What tasks use of the machine: measured, told, published, and kept within bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import Cause, FeatureNotSupported, NamingConflict, ResourceUnavailable, SandboxEnded, TaskFailed
from tcworker.feature.resource_monitor import feature
from tcworker.feature.resource_monitor.feature import ResourceMonitorFeature, artifact_name
from tcworker.filebody import MemoryFile
from tcworker.interfaces import FileArtifact, IExecution, ITaskFeature, Usage
from tcworker.task.log_names import LogNames
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.sandbox import FakeResult
from tcworker.watch.memory import Memory
from tests.feature.harness import CONFIG

GIB = 2**30
RECORD = "public/monitoring/resource-usage.json"


class Execution:
    """A sandbox that is asked what it uses: a processor, and what C{memory} says.

    @ivar asked: how often.
    @ivar answer: replaces what is answered.
    @ivar killed: the graces that it was given.
    """

    def __init__(self, clock: Clock, memory: int = GIB) -> None:
        self.clock, self.memory = clock, memory
        self.asked = 0
        self.killed: list[float] = []
        self.answer: Deferred[Usage] | None = None

    def measure(self) -> Deferred[Usage]:
        self.asked += 1
        return self.answer or succeed(Usage(self.clock.seconds(), self.memory, 4096, 2))

    def kill(self, why: str, grace: float) -> None:
        self.killed.append(grace)


class MonitorTest(SynchronousTestCase):
    """A worker with runs, and a machine with memory enough."""

    settings: ClassVar[Mapping[str, Any]] = {}
    taken: str | None = None
    """The name of an artifact that is reserved already."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.machine = Memory(10 * GIB, 9 * GIB)
        self.contexts: list[FakeTaskContext] = []
        self.monitor = ResourceMonitorFeature(self.clock, replace(CONFIG, **self.settings), lambda: self.machine)
        self.result: Any = FakeResult()

    def new_feature(self, payload: Mapping[str, Any] | None = None) -> ITaskFeature | None:
        self.context = FakeTaskContext(self.clock, payload or {})
        self.addCleanup(self.context.close)
        if self.taken is not None:
            self.context.reserve(self.taken)
        return self.monitor.for_task(self.context)

    def start(self, payload: Mapping[str, Any] | None = None, memory: int = GIB) -> None:
        """Begin a run, which the test is about from now on."""
        at_work = self.new_feature(payload)
        assert at_work is not None
        self.feature, self.execution = at_work, Execution(self.clock, memory)
        self.addCleanup(at_work.cleanup)
        self.successResultOf(at_work.started(cast(IExecution, self.execution)))

    def pass_seconds(self, seconds: float, step: float = 0.25) -> None:
        self.clock.pump([step] * int(seconds / step))

    def stop(self) -> None:
        self.successResultOf(self.feature.stopped(self.result))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def upload(self) -> None:
        self.successResultOf(self.feature.upload(self.result))

    def published(self) -> list[str]:
        return [artifact.name for artifact in self.context.published]

    def run_for(self, seconds: float, payload: Mapping[str, Any] | None = None) -> None:
        self.start(payload)
        self.pass_seconds(seconds)
        self.stop()
        self.upload()


class Measuring(MonitorTest):
    """When a run is asked what it uses."""

    def test_a_short_run_is_not_asked_at_all(self) -> None:
        self.run_for(0.25)
        self.pass_seconds(10)
        self.assertEqual(self.execution.asked, 0)
        self.assertEqual(self.context.log.text, "")

    def test_twice_a_second_at_first(self) -> None:
        self.start()
        self.pass_seconds(10)
        self.assertEqual(self.execution.asked, 20)

    def test_rarely_when_it_has_run_for_long(self) -> None:
        self.start()
        self.pass_seconds(7200, 0.5)
        asked = self.execution.asked
        self.pass_seconds(3600, 0.5)
        self.assertLess(self.execution.asked - asked, 500)

    def test_there_is_one_measure_at_a_time(self) -> None:
        self.start()
        answer: Deferred[Usage] = Deferred()
        self.execution.answer = answer
        self.pass_seconds(10)
        self.assertEqual(self.execution.asked, 1)
        self.execution.answer = None
        answer.callback(Usage(1.0, 1, 1, 1))
        self.pass_seconds(11)
        self.assertGreater(self.execution.asked, 2)

    def test_one_that_takes_long_to_ask_is_asked_rarely(self) -> None:
        self.start()
        for _ in range(10):
            self.execution.answer = answer = Deferred()
            self.pass_seconds(10 - 0.25)
            self.execution.answer = None
            answer.callback(Usage(1.0, 1, 1, 1))
        asked = self.execution.asked
        self.pass_seconds(10)
        self.assertLessEqual(self.execution.asked - asked, 1)

    def test_one_on_its_way_at_the_end_is_given_up(self) -> None:
        self.start()
        given_up: list[Any] = []
        self.execution.answer = Deferred(given_up.append)
        self.pass_seconds(1)
        self.stop()
        self.assertEqual(len(given_up), 1)

    def test_an_aborted_run_is_asked_no_more(self) -> None:
        self.start()
        self.successResultOf(self.feature.cleanup())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ask_one_that_fails(self, error: Exception) -> None:
        self.start()
        self.execution.answer = fail(error)
        self.pass_seconds(20)
        self.stop()
        self.upload()
        self.assertEqual((self.execution.asked, self.context.errors), (1, []))
        self.assertEqual((self.context.log.text, self.published()), ("", []))

    def test_a_platform_that_cannot_tell_is_not_asked_again(self) -> None:
        self.ask_one_that_fails(FeatureNotSupported("nobody knows"))
        self.ask_one_that_fails(SandboxEnded("over"))

    def test_a_failure_is_the_worker_s_own_matter(self) -> None:
        self.ask_one_that_fails(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_so_is_an_answer_that_makes_no_sense(self) -> None:
        self.start()
        self.execution.answer = succeed(cast(Usage, None))
        self.pass_seconds(20)
        self.stop()
        self.assertEqual((self.execution.asked, self.context.errors), (1, []))
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


class Telling(MonitorTest):
    """What the task's author reads."""

    def test_the_table_is_in_the_log(self) -> None:
        self.run_for(4)
        self.assertRegex(self.context.log.text, r"\] Resource use, measured 8 times in 4.0 s:\n")
        self.assertRegex(self.context.log.text, r"\] +CPU: +1.00 +1.00  processors\n")
        self.assertRegex(self.context.log.text, r"\] +Memory: +1.00 GiB +1.00 GiB\n")

    def test_a_run_of_ten_seconds_has_a_record(self) -> None:
        self.run_for(10)
        [artifact] = self.context.published
        assert isinstance(artifact, FileArtifact)
        self.assertEqual((artifact.name, artifact.expires), (RECORD, self.context.expires))
        self.assertEqual(len(json.loads(self.context.stored[RECORD])["samples"]), 20)

    def test_a_shorter_one_has_none(self) -> None:
        self.run_for(9.75)
        self.assertEqual(self.published(), [])

    def test_what_comes_after_the_run_does_not_count(self) -> None:
        self.start()
        self.pass_seconds(5)
        self.stop()
        self.pass_seconds(60)
        self.upload()
        self.assertEqual(self.published(), [])

    def test_a_failed_run_has_one_too(self) -> None:
        self.result = FakeResult(success=False)
        self.run_for(10)
        self.assertEqual(self.published(), [RECORD])

    def test_it_is_beside_a_log_that_not_everybody_may_read(self) -> None:
        self.run_for(10, {"logs": {"backing": "private/here/log.txt"}})
        self.assertEqual(self.published(), ["private/here/resource-usage.json"])

    def test_names(self) -> None:
        names = {"public/x.log": RECORD, "a.log": "resource-usage.json", "a/public/c": "a/public/resource-usage.json"}
        self.assertEqual({log: artifact_name(LogNames(backing=log)) for log in names}, names)

    def test_the_payload_does_not_take_its_place(self) -> None:
        self.start()
        own = FileArtifact(RECORD, self.context.expires, MemoryFile("x", b"the task's own"))
        self.failureResultOf(self.context.publish(own), NamingConflict)
        self.assertEqual(self.published(), [])

    def test_a_log_may_have_it(self) -> None:
        self.taken = RECORD
        self.run_for(10)
        self.assertEqual((self.published(), self.context.errors), ([], []))
        self.assertIn("Resource use, measured", self.context.log.text)
        self.assertRegex(self.context.log.text, rf"the record of its resource use was not published: .*{RECORD}")


class Publishing(MonitorTest):
    """Of the record, when that goes wrong."""

    def publishing(self, outcome: Deferred[None]) -> Deferred[None]:
        self.patch(FakeTaskContext, "reserve", lambda context, name: lambda artifact: outcome)
        self.start()
        self.pass_seconds(10)
        self.stop()
        return self.feature.upload(self.result)

    def test_the_task_is_not_worth_less_without_it(self) -> None:
        self.successResultOf(self.publishing(fail(ResourceUnavailable("the storage is away"))))
        self.assertRegex(self.context.log.text, r"\[taskcluster:warn .*\] .* was not published: the storage is away")

    def test_nor_when_it_fails_for_a_reason_that_nobody_foresaw(self) -> None:
        self.successResultOf(self.publishing(fail(ZeroDivisionError("secret"))))
        self.assertIn("was not published", self.context.log.text)
        self.assertNotIn("secret", self.context.log.text)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nor_when_nothing_can_be_made_of_what_was_measured(self) -> None:
        self.patch(feature, "document", lambda *measured: 1 / 0)
        self.successResultOf(self.publishing(succeed(None)))
        self.assertIn("was not published", self.context.log.text)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_it_can_be_given_up(self) -> None:
        uploading = self.publishing(Deferred())
        uploading.cancel()
        self.failureResultOf(uploading, CancelledError)


class WithoutRecord(MonitorTest):
    """A task that says C{resourceMonitor: false}."""

    def setUp(self) -> None:
        super().setUp()
        self.run_for(20, {"features": {"resourceMonitor": False}})

    def test_nothing_is_told_or_published(self) -> None:
        self.assertEqual((self.execution.asked, self.context.log.text, self.published()), (0, "", []))

    def test_the_name_is_the_task_s_own(self) -> None:
        self.successResultOf(self.context.publish(FileArtifact(RECORD, self.context.expires, MemoryFile("x", b"own"))))
        self.assertEqual(self.published(), [RECORD])


class SwitchedOff(MonitorTest):
    """A pool that measures nothing."""

    settings: ClassVar[Mapping[str, Any]] = {"enable_resource_monitor": False}

    def test_it_is_simply_off(self) -> None:
        for features in ({}, {"resourceMonitor": True}):
            self.assertIsNone(self.new_feature({"features": features}))


class MemoryRunsOut(MonitorTest):
    """Several runs on a machine that has less and less memory."""

    def start_three(self) -> list[FakeTaskContext]:
        contexts = []
        for memory, features in ((GIB, {}), (6 * GIB, {"resourceMonitor": False}), (2 * GIB, {})):
            self.start({"features": features}, memory)
            contexts.append(self.context)
        self.machine = Memory(10 * GIB, GIB // 10)
        return contexts

    def test_the_largest_run_fails_and_the_others_go_on(self) -> None:
        small, large, middle = self.start_three()
        self.pass_seconds(8)
        [error] = large.errors
        self.assertIsInstance(error, TaskFailed)
        self.assertEqual(error.cause, Cause.OUT_OF_MEMORY)
        self.assertIn("this task uses 6.00 GiB", str(error))
        self.pass_seconds(60)
        self.assertEqual((small.errors, middle.errors), ([], []))

    def test_it_has_no_time_to_take_even_more(self) -> None:
        self.start({})
        self.machine = Memory(10 * GIB, GIB // 10)
        self.pass_seconds(8)
        self.assertEqual(self.execution.killed, [0])

    def test_a_run_that_is_over_is_nobody_s_concern(self) -> None:
        self.start({})
        self.stop()
        self.machine = Memory(10 * GIB, GIB // 10)
        self.pass_seconds(60)
        self.assertEqual(self.context.errors, [])


class MemoryRunsOutUnprotected(MemoryRunsOut):
    """The same with C{disableOOMProtection}."""

    settings: ClassVar[Mapping[str, Any]] = {"disable_oom_protection": True}

    def test_the_largest_run_fails_and_the_others_go_on(self) -> None:
        contexts = self.start_three()
        self.pass_seconds(60)
        self.assertEqual([context.errors for context in contexts], [[], [], []])
        self.assertEqual([context.log.text.count("disableOOMProtection") for context in contexts], [0, 1, 0])

    def test_it_has_no_time_to_take_even_more(self) -> None:
        self.start({})
        self.machine = Memory(10 * GIB, GIB // 10)
        self.pass_seconds(8)
        self.assertEqual(self.execution.killed, [])
