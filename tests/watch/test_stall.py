"""A reactor that does not come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.testing.engines import traces
from tcworker.watch.stall import StallWatch
from tests.surroundings import until


class Impatient(StallWatch):
    ask_every = 0.01
    tick = 0.01


class HandReactor:
    """A reactor that does what it is asked when the test wants it to."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], object]] = []
        self.came = threading.Event()

    def callWhenRunning(self, call: Callable[[], object]) -> None:
        call()

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.asked.append(call)
        self.came.set()

    def answer(self) -> None:
        assert self.came.wait(10)
        self.came.clear()
        self.asked.pop()()


class StallTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list[str] = []
        self.heard = threading.Event()
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)
        self.reactor = HandReactor()
        self.watch = Impatient(self.reactor)
        self.addCleanup(self.stop)
        self.watch.startService()

    def stop(self) -> None:
        if self.watch.running:
            self.watch.stopService()

    def hear(self, event: dict[str, Any]) -> None:
        self.said.append(formatEvent(event))
        self.heard.set()

    def wait_for_a_line(self) -> str:
        self.assertTrue(self.heard.wait(10))
        self.heard.clear()
        return self.said[-1]


class Stalls(StallTestCase):
    def test_one_that_answers_is_no_news(self) -> None:
        for _ in range(20):
            self.reactor.answer()
        self.assertEqual(self.said, [])

    def test_one_that_does_not_is_shown_where_it_is(self) -> None:
        line = self.wait_for_a_line()
        self.assertIn("the reactor has been blocked", line)
        # The test's own thread is the reactor's.
        self.assertIn("in wait_for_a_line", line)

    def test_it_is_said_once_and_when_it_is_over(self) -> None:
        self.wait_for_a_line()
        self.assertFalse(self.heard.wait(0.2))
        self.reactor.answer()
        self.assertIn("goes on", self.wait_for_a_line())
        self.assertEqual(len(self.said), 2)

    def test_the_thread_ends_while_nobody_answers(self) -> None:
        self.stop()
        self.assertFalse([name for name in traces.threads() if "stall" in name])
        self.assertEqual(self.said, [])


class TheRealReactor(TestCase):
    timeout = 60

    async def test_it_answers(self) -> None:
        watch = Impatient(reactor)
        answers: list[None] = []
        answer = watch._answer
        self.patch(watch, "_answer", lambda: answers.append(answer()))
        watch.startService()
        self.addCleanup(watch.stopService)
        await until(lambda: len(answers) > 3)
