"""Uploads that are tried again for hours while others wait for their turn."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore

from tcworker.client.http import Answer
from tests.task.publish_case import PublishingTest, artifact


class OneSlot(PublishingTest):
    """An upload that has failed, on a worker that has one upload at a time."""

    def setUp(self) -> None:
        super().setUp()
        self.slots = DeferredSemaphore(1)
        self.publisher = self.new_publisher()
        self.storage.answers = [(503, b"")]
        self.again = self.publish(artifact("again.zip"))

    def hold_slot(self) -> Deferred[None]:
        """Let another upload go on until C{let_go}, beyond the time of the next try."""
        self.storage.hangs = True
        holding = self.publish(artifact("other.zip"))
        self.storage.hangs = False
        self.clock.advance(2)
        self.assertEqual([put.url[-1] for put in self.storage.puts], ["1"])
        return holding

    def let_go(self) -> None:
        self.storage.hanging[0].callback(Answer(200, {}, b""))

    def assert_free(self) -> None:
        self.assertEqual((self.slots.tokens, self.slots.waiting, self.clock.getDelayedCalls()), (1, [], []))

    def test_others_are_uploaded_while_it_waits_for_its_next_try(self) -> None:
        self.published(artifact("other.zip"))
        self.clock.advance(2)
        self.successResultOf(self.again)
        self.assert_free()

    def test_for_that_it_waits_until_there_is_a_slot(self) -> None:
        holding = self.hold_slot()
        self.let_go()
        self.successResultOf(holding)
        self.successResultOf(self.again)
        self.assert_free()

    def test_giving_up_while_it_waits_for_its_next_try(self) -> None:
        self.again.cancel()
        self.failureResultOf(self.again, CancelledError)
        self.assert_free()

    def test_giving_up_while_it_waits_for_a_slot(self) -> None:
        holding = self.hold_slot()
        self.again.cancel()
        self.failureResultOf(self.again, CancelledError)
        self.let_go()
        self.successResultOf(holding)
        self.assert_free()

    def test_when_the_worker_must_go_it_waits_for_none(self) -> None:
        holding = self.hold_slot()
        self.haste.begin(100.0)
        self.successResultOf(self.again)
        self.let_go()
        self.successResultOf(holding)
        self.assert_free()

    def test_nor_for_one_if_it_must_go_before_the_next_try(self) -> None:
        self.haste.begin(100.0)
        self.clock.advance(2)
        self.successResultOf(self.again)
        self.assert_free()
