"""The worker's side of its host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tcworker.config import Config, Source, parse
from tcworker.errors import ConfigError, Fault, HostUnavailable
from tcworker.host.service import BACKOFF, PATIENCE, HostService
from tcworker.interfaces import Credentials, Exit, IHost, Notice, Unsubscribe

VALUES = {"rootURL": "http://x", "clientId": "first", "accessToken": "t", "workerType": "w", "workerId": "i"}


@implementer(IHost)
class MovingHost(Service):
    """A host whose answers a test gives, one by one."""

    def __init__(self) -> None:
        self.answers: list[Deferred[Any]] = []
        self.tell_credentials: Callable[[Credentials], None] | None = None
        self.tell_notice: Callable[[Notice], None] | None = None
        self.left: list[Exit] = []

    def load_config(self) -> Deferred[Mapping[str, Any]]:
        return self.answers.pop(0)

    def should_shut_down_now(self, idle_seconds: float) -> Deferred[bool]:
        return self.answers.pop(0)

    def on_shutting_down(self, call: Callable[[Notice], None]) -> Unsubscribe:
        self.tell_notice = call
        return lambda: setattr(self, "tell_notice", None)

    def on_credentials(self, call: Callable[[Credentials], None]) -> Unsubscribe:
        self.tell_credentials = call
        return lambda: setattr(self, "tell_credentials", None)

    def leave(self, exit: Exit) -> Deferred[None]:
        self.left.append(exit)
        return self.answers.pop(0)


class HostTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.host = MovingHost()
        self.service = HostService(self.clock, self.host, lambda values: parse([Source("host", values)]))
        self.service.startService()

    def host_answers(self, *answers: Any) -> None:
        self.host.answers = [fail(answer) if isinstance(answer, Exception) else succeed(answer) for answer in answers]


class Loading(HostTestCase):
    def loaded(self) -> Config:
        config: Config = self.successResultOf(self.service.load())
        return config

    def test_the_host_s_values_are_made_a_configuration(self) -> None:
        self.host_answers(VALUES)
        self.assertEqual(self.loaded().worker_type, "w")

    def test_a_host_that_is_away_is_asked_again(self) -> None:
        self.host_answers(HostUnavailable("no metadata"), HostUnavailable("no metadata"), VALUES)
        loading = self.service.load()
        for _ in range(2):
            self.assertNoResult(loading)
            self.clock.advance(BACKOFF.most)
        self.assertEqual(self.successResultOf(loading).worker_type, "w")

    def test_waiting_for_the_host_can_be_given_up(self) -> None:
        self.host_answers(HostUnavailable("no metadata"))
        loading = self.service.load()
        loading.cancel()
        self.failureResultOf(loading, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_faults_are_final_whoever_finds_them(self) -> None:
        self.host_answers(ConfigError([Fault("a", "b", "c")]))
        self.failureResultOf(self.service.load(), ConfigError)
        self.host_answers({**VALUES, "capacity": 0})
        self.failureResultOf(self.service.load(), ConfigError)


class TheCredentials(HostTestCase):
    def renew(self, client_id: str) -> None:
        assert self.host.tell_credentials is not None
        self.host.tell_credentials(Credentials(client_id, "t"))

    def test_there_are_none_at_first(self) -> None:
        self.assertRaises(LookupError, self.service.credentials)

    def test_the_configured_ones(self) -> None:
        self.host_answers(VALUES)
        self.service.load()
        self.assertEqual(self.service.credentials().client_id, "first")

    def test_the_newest_ones(self) -> None:
        self.host_answers(VALUES)
        self.service.load()
        self.renew("second")
        self.assertEqual(self.service.credentials().client_id, "second")

    def test_the_configuration_is_never_newer(self) -> None:
        self.host_answers(VALUES)
        self.renew("second")
        self.service.load()
        self.assertEqual(self.service.credentials().client_id, "second")


class Going(HostTestCase):
    def test_the_host_s_answer(self) -> None:
        for answer in (True, False):
            self.host_answers(answer)
            self.assertIs(self.successResultOf(self.service.should_shut_down_now(0)), answer)

    def test_an_error_counts_as_no(self) -> None:
        self.host_answers(ValueError("broken"))
        self.assertIs(self.successResultOf(self.service.should_shut_down_now(0)), False)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_no_answer_counts_as_no(self) -> None:
        self.host.answers = [Deferred()]
        answer = self.service.should_shut_down_now(0)
        self.clock.advance(PATIENCE)
        self.assertIs(self.successResultOf(answer), False)
        self.flushLoggedErrors()

    def test_the_question_can_be_given_up(self) -> None:
        self.host.answers = [Deferred()]
        answer = self.service.should_shut_down_now(0)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_notices_are_passed_on(self) -> None:
        notices: list[Notice] = []
        unsubscribe = self.service.on_shutting_down(notices.append)
        assert self.host.tell_notice is not None
        self.host.tell_notice(Notice(True, None, "spot"))
        self.assertEqual(notices, [Notice(True, None, "spot")])
        unsubscribe()
        self.assertIsNone(self.host.tell_notice)

    def test_it_is_left_with_the_reason(self) -> None:
        self.host_answers(None)
        self.assertIsNone(self.successResultOf(self.service.leave(Exit(72, "spot"))))
        self.assertEqual(self.host.left, [Exit(72, "spot")])

    def test_it_is_left_although_that_fails(self) -> None:
        self.host_answers(ValueError("broken"))
        self.assertIsNone(self.successResultOf(self.service.leave(Exit(72, "spot"))))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_it_is_left_although_that_never_ends(self) -> None:
        self.host.answers = [Deferred()]
        leaving = self.service.leave(Exit(72, "spot"))
        self.clock.advance(PATIENCE)
        self.assertIsNone(self.successResultOf(leaving))
        self.flushLoggedErrors()


class TheService(HostTestCase):
    def test_the_host_lives_as_long_as_it(self) -> None:
        self.assertTrue(self.host.running)
        self.successResultOf(self.service.stopService())
        self.assertFalse(self.host.running)
        self.assertIsNone(self.host.tell_credentials)
