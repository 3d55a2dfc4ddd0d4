"""The hooks of all features: order, failures, cancelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tcworker.errors import (
    InternalError,
    MalformedPayload,
    ResourceUnavailable,
    TaskError,
    TaskFailed,
    Unreachable,
)
from tcworker.feature.base import TaskFeature
from tcworker.feature.registry import FeatureSet, RunFeatures
from tcworker.interfaces import IFeature, IResult, ITaskContext, ITaskFeature
from tcworker.testing.context import FakeTaskContext

RESULT = cast(IResult, None)


@implementer(IFeature)
class Scripted:
    """A feature whose hooks the test ends."""

    schema: ClassVar[Any] = {"properties": {}, "required": []}

    def __init__(self, name: str, *after: str, asked: Callable[[], bool] = lambda: True) -> None:
        self.name, self.after = name, after
        self.asked = asked
        self.called: list[str] = []
        self.hook: Deferred[None] = Deferred()

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        return _Scripted(self) if self.asked() else None


class _Scripted(TaskFeature):
    def __init__(self, feature: Scripted) -> None:
        for stage in ("load", "started", "stopped", "upload", "cleanup"):
            setattr(self, stage, self.hook(feature, stage))

    def hook(self, feature: Scripted, stage: str) -> Callable[..., Deferred[None]]:
        def call(*arguments: Any) -> Deferred[None]:
            feature.called.append(stage)
            feature.hook = Deferred()
            return feature.hook

        return call


class RegistryTest(SynchronousTestCase):
    """Features a and b, and c that comes after a."""

    def setUp(self) -> None:
        self.a, self.b, self.c = Scripted("a"), Scripted("b"), Scripted("c", "a")
        self.all = [self.c, self.a, self.b]
        self.context = FakeTaskContext(Clock())
        self.addCleanup(self.context.close)

    def features(self) -> RunFeatures:
        return FeatureSet(self.all).for_task(self.context)


class Order(RegistryTest):
    """Side by side, but for what is declared."""

    def test_side_by_side(self) -> None:
        self.features().stopped(RESULT)
        self.assertEqual((self.a.called, self.b.called), (["stopped"], ["stopped"]))

    def test_what_comes_after_another_waits_for_it(self) -> None:
        self.features().stopped(RESULT)
        self.assertEqual(self.c.called, [])
        self.a.hook.callback(None)
        self.assertEqual(self.c.called, ["stopped"])

    def test_a_stage_is_over_when_all_are(self) -> None:
        stage = self.features().stopped(RESULT)
        self.a.hook.callback(None)
        self.c.hook.callback(None)
        self.assertNoResult(stage)
        self.b.hook.callback(None)
        self.assertIsNone(self.successResultOf(stage))

    def test_it_waits_through_one_that_the_task_does_not_ask_for(self) -> None:
        self.c = Scripted("c", "between")
        self.all = [self.a, Scripted("between", "a", asked=lambda: False), self.c]
        self.features().load(cast(Any, None))
        self.assertEqual(self.c.called, [])

    def test_a_feature_without_a_hook_keeps_nobody_waiting(self) -> None:
        class Idle(TaskFeature):
            """Has none at all."""

        idle = Scripted("idle")
        self.patch(idle, "for_task", lambda context: Idle())
        self.all = [idle, Scripted("later", "idle")]
        self.features().stopped(RESULT)
        self.assertEqual(self.all[1].called, ["stopped"])

    def test_features_that_nobody_asks_for(self) -> None:
        self.all = [Scripted("x", asked=lambda: False)]
        self.successResultOf(self.features().load(cast(Any, None)))

    def test_one_that_comes_after_nobody(self) -> None:
        error = self.assertRaises(ValueError, FeatureSet, [Scripted("x", "caches")])
        self.assertIn("caches", str(error))

    def test_a_circle(self) -> None:
        error = self.assertRaises(ValueError, FeatureSet, [Scripted("x", "y"), Scripted("y", "x")])
        self.assertIn("x", str(error))

    def test_a_name_twice(self) -> None:
        self.assertRaises(ValueError, FeatureSet, [Scripted("x"), Scripted("x")])

    def test_the_schemas_by_name(self) -> None:
        self.assertEqual(set(FeatureSet(self.all).schemas), {"a", "b", "c"})


class Failures(RegistryTest):
    """What the failures of one stage come to."""

    def outcome(self, *errors: Exception, stage: str = "stopped") -> TaskError:
        self.all = [Scripted(str(number)) for number in range(len(errors))]
        running = getattr(self.features(), stage)(RESULT)
        for feature, error in zip(self.all, errors, strict=True):
            feature.hook.errback(error)
        failure = self.failureResultOf(running, TaskError)
        return cast(TaskError, failure.value)

    def test_one_failure_is_passed_on_as_it_is(self) -> None:
        error = TaskFailed("no")
        self.assertIs(self.outcome(error), error)

    def test_the_gravest_wins(self) -> None:
        unavailable, internal = ResourceUnavailable("disk"), InternalError("bug")
        self.assertIs(self.outcome(TaskFailed("a"), MalformedPayload("b"), unavailable), unavailable)
        self.assertIs(self.outcome(unavailable, internal), internal)

    def test_malformed_payloads_are_joined(self) -> None:
        error = self.outcome(MalformedPayload("a"), TaskFailed("b"), MalformedPayload("c", "d"))
        self.assertEqual((type(error), error.messages), (MalformedPayload, ("a", "c", "d")))

    def test_what_the_gravest_does_not_say_is_in_the_log(self) -> None:
        self.outcome(TaskFailed("a file is missing"), ResourceUnavailable("disk"))
        self.assertIn("[taskcluster:error] a file is missing", self.context.log.text)
        self.assertNotIn("disk", self.context.log.text)

    def test_a_fatal_error_stays_fatal(self) -> None:
        error = self.outcome(InternalError("a"), InternalError("b", fatal=True))
        assert isinstance(error, InternalError)
        self.assertEqual((error.fatal, error.messages), (True, ("a", "b")))

    def test_what_nobody_foresaw_has_an_incident(self) -> None:
        error = self.outcome(ZeroDivisionError("secret detail"))
        self.assertIsInstance(error, InternalError)
        self.assertNotIn("secret detail", str(error))
        self.assertRegex(str(error), "incident [0-9a-f]{12}")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_taskcluster_away_is_not_the_fault_of_the_worker(self) -> None:
        self.assertIsInstance(self.outcome(Unreachable("getArtifact", "no answer")), ResourceUnavailable)

    def test_a_hook_that_raises_at_once(self) -> None:
        class Broken(TaskFeature):
            def stopped(self, result: IResult) -> Deferred[None]:
                raise TaskFailed("at once")

        self.a.for_task = lambda context: Broken()  # type: ignore[method-assign]
        running = self.features().stopped(RESULT)
        self.b.hook.callback(None)
        self.c.hook.callback(None)
        self.failureResultOf(running, TaskFailed)

    def test_one_failure_does_not_keep_others_from_their_hooks(self) -> None:
        features = self.features()
        features.stopped(RESULT).addErrback(lambda _: None)
        self.a.hook.errback(TaskFailed("no"))
        self.assertEqual(self.c.called, ["stopped"])
        features.upload(RESULT)
        self.assertEqual(self.a.called, ["stopped", "upload"])

    def test_before_the_task_runs_what_comes_after_a_failed_one_is_left_out(self) -> None:
        loading = self.features().load(cast(Any, None))
        self.a.hook.errback(MalformedPayload("no"))
        self.assertEqual(self.c.called, [])
        self.b.hook.callback(None)
        self.failureResultOf(loading, MalformedPayload)

    def test_cleaning_up_never_fails(self) -> None:
        self.all = [self.a]
        cleaning = self.features().cleanup()
        self.a.hook.errback(TaskFailed("a folder is left"))
        self.assertIsNone(self.successResultOf(cleaning))

    def test_all_features_judge_the_payload(self) -> None:
        def refuse(*messages: str) -> Callable[[ITaskContext], Any]:
            def judge(context: ITaskContext) -> Any:
                raise MalformedPayload(*messages)

            return judge

        self.a.for_task, self.b.for_task = refuse("a"), refuse("b")  # type: ignore[assignment,method-assign]
        error = self.assertRaises(MalformedPayload, self.features)
        self.assertEqual(error.messages, ("a", "b"))


class Cancelling(RegistryTest):
    """Giving up a stage."""

    def test_every_hook_is_cancelled(self) -> None:
        cancelled: list[str] = []
        hooks: dict[str, Deferred[None]] = {
            "a": Deferred(lambda _: cancelled.append("a")),
            "b": Deferred(lambda _: cancelled.append("b")),
        }

        class Waiting(TaskFeature):
            def __init__(self, name: str) -> None:
                self.name = name

            def upload(self, result: IResult) -> Deferred[None]:
                return hooks[self.name]

        self.all = [self.a, self.b]
        self.a.for_task = lambda context: Waiting("a")  # type: ignore[method-assign]
        self.b.for_task = lambda context: Waiting("b")  # type: ignore[method-assign]
        running = self.features().upload(RESULT)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(cancelled, ["a", "b"])

    def test_one_that_waits_for_another_never_begins(self) -> None:
        running = self.features().upload(RESULT)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(self.c.called, [])

    def test_a_hook_that_was_cancelled_by_nobody_here_is_a_fault(self) -> None:
        self.all = [self.a]
        running = self.features().upload(RESULT)
        self.a.hook.errback(CancelledError())
        self.failureResultOf(running, InternalError)
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)


class DoingNothing(SynchronousTestCase):
    """What every feature begins with."""

    def test_every_hook_is_over_at_once(self) -> None:
        feature = TaskFeature()
        for hook in (feature.load, feature.started, feature.stopped, feature.upload):
            self.successResultOf(hook(cast(Any, None)))
        self.successResultOf(feature.cleanup())
