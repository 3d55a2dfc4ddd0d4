"""Lines of the worker's log, for people and for programs."""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.worker_log import LINES_A_MINUTE, LineRation, RunLogger, json_observer, text_observer

TIME = 1795624393.123


class LogTestCase(SynchronousTestCase):
    make = staticmethod(text_observer)

    def setUp(self) -> None:
        self.stream = io.StringIO()
        self.publisher = LogPublisher(self._at_a_fixed_time)
        self.observer = self.make(self.stream)

    def _at_a_fixed_time(self, event: dict[str, Any]) -> None:
        self.observer({**event, "log_time": TIME})

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def logger(self) -> Logger:
        return Logger("tcworker.claims.service", observer=self.publisher)

    def run_logger(self) -> RunLogger:
        logger = RunLogger("task-1/0", "tcworker.claims.service")
        logger.observer = self.publisher
        return logger


class TextLines(LogTestCase):
    def test_they_say_when_how_grave_and_from_where(self) -> None:
        self.logger().warn("no answer from {url}", url="http://x")
        self.assertEqual(
            self.lines(), ["2026-11-25T16:33:13.123Z warn [tcworker.claims.service] no answer from http://x"]
        )

    def test_they_say_which_run(self) -> None:
        self.run_logger().info("claimed")
        self.assertTrue(self.lines()[0].endswith("Z info [tcworker.claims.service] [task-1/0] claimed"))

    def test_any_event_may_say_which_run(self) -> None:
        self.logger().info("turned away", run="task-2/1")
        self.assertIn("[task-2/1] turned away", self.lines()[0])

    def test_what_continues_an_event_is_indented(self) -> None:
        self.logger().info("one\ntwo")
        self.assertEqual(self.lines()[1:], ["\ttwo"])

    def test_a_failure_has_its_traceback(self) -> None:
        self.run_logger().failure("broken", failure=Failure(ValueError("why")))
        self.assertIn("[task-1/0] broken", self.lines()[0])
        self.assertIn("builtins.ValueError: why", self.stream.getvalue())

    def test_control_characters_are_written_out(self) -> None:
        self.logger().info("{name}", name="red \x1b[31m \x9b1m \x00")
        self.assertTrue(self.lines()[0].endswith("red \\x1b[31m \\x9b1m \\x00"))

    def test_streams_of_bytes_get_utf8(self) -> None:
        stream = io.BytesIO()
        text_observer(stream)({"log_format": "…", "log_level": LogLevel.info, "log_namespace": "x"})
        self.assertTrue(stream.getvalue().endswith("…\n".encode()))

    def test_connections_are_not_worth_a_line(self) -> None:
        logger = Logger("twisted.web.client._HTTP11ClientFactory", observer=self.publisher)
        logger.info("Starting factory")
        self.assertEqual(self.lines(), [])

    def test_an_event_that_cannot_be_formatted_is_still_a_line(self) -> None:
        self.logger().info("{missing}")
        self.assertEqual(len(self.lines()), 1)


class JsonLines(LogTestCase):
    make = staticmethod(json_observer)

    def line(self) -> dict[str, Any]:
        (line,) = self.lines()
        read: dict[str, Any] = json.loads(line)
        return read

    def test_one_object_a_line(self) -> None:
        self.logger().error("one\n{what}", what="two")
        self.assertEqual(
            self.line(),
            {
                "time": "2026-11-25T16:33:13.123Z",
                "level": "error",
                "namespace": "tcworker.claims.service",
                "message": "one\ntwo",
            },
        )

    def test_the_run_is_a_key(self) -> None:
        self.run_logger().info("claimed")
        self.assertEqual(self.line()["run"], "task-1/0")

    def test_the_traceback_is_a_key(self) -> None:
        self.logger().failure("broken", failure=Failure(ValueError("why")))
        self.assertEqual(self.line()["message"], "broken")
        self.assertIn("ValueError: why", self.line()["traceback"])


class ARunsLogger(SynchronousTestCase):
    def test_its_namespace_is_the_module_that_made_it(self) -> None:
        self.assertEqual(RunLogger("task-1/0").namespace, __name__)


class ALineThatIsRationed(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ration = LineRation(self.clock.seconds)

    def taken(self, times: int) -> list[str | None]:
        return [self.ration.take() for _ in range(times)]

    def test_so_many_a_minute_are_said(self) -> None:
        self.assertEqual(self.taken(LINES_A_MINUTE + 3), [""] * LINES_A_MINUTE + [None] * 3)
        self.clock.advance(59)
        self.assertEqual(self.taken(1), [None])

    def test_the_next_one_says_how_many_were_not(self) -> None:
        self.taken(LINES_A_MINUTE + 3)
        self.clock.advance(60)
        self.assertEqual(self.taken(2), [" (3 lines like this were left out)", ""])

    def test_a_clock_that_is_set_back_keeps_nobody_quiet(self) -> None:
        self.taken(LINES_A_MINUTE)
        self.clock.rightNow -= 500
        self.assertEqual(self.taken(1), [""])
