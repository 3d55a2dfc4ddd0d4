"""Telling what happened."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.outbox import Message, Outbox

PENDING = Message("queue", "task-pending", "primary.a", {"version": 1})
RUNNING = Message("queue", "task-running", "primary.a", {"version": 1})


class Outboxes(SynchronousTestCase):
    def setUp(self) -> None:
        self.outbox = Outbox()
        self.heard: list[Message] = []

    def test_everybody_hears_everything_in_order(self) -> None:
        also: list[Message] = []
        self.outbox.listen(self.heard.append)
        self.outbox.listen(also.append)
        self.outbox.send([PENDING, RUNNING])
        self.assertEqual((self.heard, also), ([PENDING, RUNNING],) * 2)

    def test_who_has_enough_hears_no_more(self) -> None:
        stop = self.outbox.listen(self.heard.append)
        self.outbox.send([PENDING])
        stop()
        self.outbox.send([RUNNING])
        self.assertEqual(self.heard, [PENDING])

    def test_a_listener_that_fails_is_nobody_elses_trouble(self) -> None:
        self.outbox.listen(lambda message: 1 / 0)
        self.outbox.listen(self.heard.append)
        self.outbox.send([PENDING])
        self.assertEqual(self.heard, [PENDING])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_name_that_a_broker_knows(self) -> None:
        self.assertEqual(PENDING.exchange_name, "exchange/taskcluster-queue/v1/task-pending")
