"""A process with one worker: signals, its end, its exit status."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import ConfigError, Fault, StateDirectoryTaken
from tcworker.interfaces import Exit
from tcworker.running import HURRY, SIGNALS, WorkerProcess
from tcworker.waiting import OneShot


class ScriptedWorker(Service):
    """Notes what it is told, and ends when a test says so."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.watching: list[Callable[[float], None]] = []
        self.end: OneShot[Exit] = OneShot()

    def drain(self, why: str) -> None:
        self.told.append(("drain", why))

    def stop_now(self, seconds: float | None, why: str) -> None:
        self.told.append(("stop_now", seconds, why))

    def watch_deadline(self, call: Callable[[float], None]) -> None:
        self.watching.append(call)

    def when_booted(self) -> Deferred[Any]:
        return Deferred()

    def when_stopped(self) -> Deferred[Exit]:
        return self.end.wait()


class StartedReactor:
    """As much of a reactor as a process needs, already running."""

    def __init__(self) -> None:
        self.stopped = 0
        self.clock = Clock()
        self.seconds: Callable[[], float] = self.clock.seconds

    def callWhenRunning(self, call: Any) -> None:
        call()

    def callFromThread(self, call: Any, *args: Any) -> None:
        call(*args)

    def stop(self) -> None:
        if self.stopped:
            raise ReactorNotRunning()
        self.stopped += 1


class ProcessTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        for number in SIGNALS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
            signal.signal(number, signal.SIG_DFL)
        self.reactor, self.worker = StartedReactor(), ScriptedWorker()
        self.statuses: list[int] = []
        self.limits: list[float] = []
        self.process = self.new_process(self.statuses.append)

    def new_process(self, ended: Callable[[int], None]) -> WorkerProcess:
        return WorkerProcess(self.reactor, self.worker, ended, self.limits.append)  # type: ignore[arg-type]  # a fake

    def tell(self, *numbers: signal.Signals) -> list[Any]:
        self.process.startService()
        for number in numbers:
            signal.raise_signal(number)
        return self.worker.told


class WhenTheClockIsSet(ProcessTestCase):
    def test_the_time_by_which_its_reactor_runs_stays_as_it_was(self) -> None:
        clock = self.reactor.clock
        self.process.startService()
        before = self.reactor.seconds()
        for jump in (3600, -7200):
            clock.rightNow += jump
            self.assertLess(abs(self.reactor.seconds() - before), 60)


class Signals(ProcessTestCase):
    def test_term_ends_tasks_within_the_configured_grace(self) -> None:
        self.assertEqual(self.tell(signal.SIGTERM), [("stop_now", None, "SIGTERM")])

    def test_a_lost_terminal_is_like_term(self) -> None:
        self.assertEqual(self.tell(signal.SIGHUP), [("stop_now", None, "SIGHUP")])

    def test_int_lets_tasks_finish(self) -> None:
        self.assertEqual(self.tell(signal.SIGINT), [("drain", "SIGINT")])

    def test_a_second_one_of_either_kind_hurries(self) -> None:
        for first in (signal.SIGINT, signal.SIGTERM):
            for second in (signal.SIGINT, signal.SIGTERM):
                self.setUp()
                (_, told) = self.tell(first, second)
                self.assertEqual(told, ("stop_now", HURRY, f"a second signal, {second.name}"))

    def test_one_that_was_ignored_stays_ignored(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.assertEqual(self.tell(signal.SIGHUP), [])

    def test_they_are_left_alone_once_it_has_stopped(self) -> None:
        before = [signal.getsignal(number) for number in SIGNALS]
        self.process.startService()
        self.successResultOf(self.process.stopService())
        self.assertEqual([signal.getsignal(number) for number in SIGNALS], before)

    def test_they_are_left_alone_if_it_stops_before_the_reactor_runs(self) -> None:
        late: list[Any] = []
        self.reactor.callWhenRunning = late.append  # type: ignore[method-assign]
        before = signal.getsignal(signal.SIGTERM)
        self.process.startService()
        self.successResultOf(self.process.stopService())
        for call in late:
            call()
        self.assertEqual(signal.getsignal(signal.SIGTERM), before)


class TheEnd(ProcessTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.process.startService()

    def logged(self) -> list[str]:
        return [str(error.value) for error in self.flushLoggedErrors()]

    def test_the_worker_s_status_is_the_process_s(self) -> None:
        self.worker.end.succeed(Exit(72, "SIGTERM"))
        self.assertEqual((self.statuses, self.reactor.stopped), ([72], 1))

    def test_a_configuration_from_the_host_that_cannot_be_used(self) -> None:
        self.worker.end.fail(ConfigError([Fault("host: capacity", "0", "more")], 73))
        self.assertEqual((self.statuses, self.reactor.stopped), ([73], 1))

    def test_a_state_directory_in_use_needs_no_traceback(self) -> None:
        self.worker.end.fail(StateDirectoryTaken("in use"))
        self.assertEqual((self.statuses, self.logged()), ([69], []))

    def test_anything_unforeseen_has_one(self) -> None:
        self.worker.end.fail(ValueError("unforeseen"))
        self.assertEqual((self.statuses, self.logged()), ([69], ["unforeseen"]))

    def test_a_status_that_nobody_takes_is_logged(self) -> None:
        statuses: dict[int, None] = {}
        self.process = self.new_process(statuses.__getitem__)
        self.process.startService()
        self.worker.end.succeed(Exit(72, "SIGTERM"))
        self.assertEqual(self.logged(), ["72"])

    def test_a_reactor_that_is_being_stopped_already_is_left_alone(self) -> None:
        self.process.stopService()
        self.worker.end.succeed(Exit(72, "the service is being stopped"))
        self.assertEqual((self.statuses, self.reactor.stopped), ([72], 0))

    def test_it_has_no_more_time_than_its_worker(self) -> None:
        for seconds in (25, 5):
            self.worker.watching[0](seconds)
        self.assertEqual(self.limits, [25, 5])

    def test_the_worker_is_stopped_with_it(self) -> None:
        self.successResultOf(self.process.stopService())
        self.assertFalse(self.worker.running)


THREAD_THAT_HANGS = """
import threading, time
from tcworker import running
threading.Thread(target=time.sleep, args=[600]).start()
running.end_for_sure(72, 0.1)
"""


REACTOR_THAT_HANGS = """
import time
from tcworker import running
running.LEAST = 0.1
running.end_in_time(600)
running.end_in_time(0)
time.sleep(600)
"""


class LastResort(SynchronousTestCase):
    timeout = 60

    def test_a_reactor_that_hangs_does_not_keep_the_process_either(self) -> None:
        code = [sys.executable, "-c", REACTOR_THAT_HANGS]
        ended = subprocess.run(code, capture_output=True, text=True, check=False)
        self.assertEqual(ended.returncode, 72)
        self.assertIn("the next start deals with what is left", ended.stderr)

    def test_a_thread_that_hangs_does_not_keep_the_process(self) -> None:
        ended = subprocess.run([sys.executable, "-c", THREAD_THAT_HANGS], capture_output=True, text=True, check=False)
        self.assertEqual(ended.returncode, 72)
        self.assertIn("a thread did not end", ended.stderr)
