"""How fast uploads are."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tcworker.task.speed import ASSUMED, MEMORY, WORTH_MEASURING, Speed

MB = 1_000_000


@implementer(IBodyProducer)
class Body:
    """A body that the test sends piece by piece."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.stopped = self.paused = False
        self.sent: Deferred[None] = Deferred()

    def startProducing(self, consumer: object) -> Deferred[None]:
        self.consumer = consumer
        return self.sent

    def send(self, size: int) -> None:
        self.consumer.write(bytes(size))  # type: ignore[attr-defined]  # as every consumer has

    def stopProducing(self) -> None:
        self.stopped = True

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False


class Consumer:
    def __init__(self) -> None:
        self.got = 0

    def write(self, data: bytes) -> None:
        self.got += len(data)


class Measured(SynchronousTestCase):
    """A worker's uploads."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.speed = Speed(self.clock.seconds)
        self.consumer = Consumer()
        self.why: Exception | None = None

    def send(self, size: int, seconds: float) -> None:
        """Send all of a body in so many seconds."""
        body = Body(size)
        with self.speed.measured(body, lambda left: None) as measured:
            measured.startProducing(self.consumer)
            self.clock.advance(seconds)
            body.send(size)
            body.sent.callback(None)

    def test_nothing_is_known_before_anything_was_sent(self) -> None:
        self.assertEqual(self.speed.bytes_per_second, ASSUMED)

    def test_what_was_sent_in_its_time(self) -> None:
        self.send(10 * MB, 2)
        self.clock.advance(100)
        self.send(20 * MB, 1)
        self.assertEqual(self.speed.bytes_per_second, 10 * MB)
        self.assertEqual(self.speed.seconds_for(5 * MB), 0.5)

    def test_those_side_by_side_count_together_and_one_after_the_other(self) -> None:
        one, other = Body(10 * MB), Body(30 * MB)
        measured = self.speed.measured
        with measured(one, lambda left: None) as first, measured(other, lambda left: None) as second:
            first.startProducing(self.consumer)
            second.startProducing(self.consumer)
            self.clock.advance(2)
            one.send(4 * MB)
            other.send(6 * MB)
            self.assertEqual(self.speed.bytes_per_second, 5 * MB)
            # What is on its way comes before what has not begun.
            self.assertEqual(self.speed.seconds_for(10 * MB), (6 + 24 + 10) / 5)
        self.assertEqual(self.speed.seconds_for(10 * MB), 2)

    def test_small_files_tell_what_a_call_takes_and_no_more(self) -> None:
        self.send(WORTH_MEASURING - 1, 10)
        self.assertEqual(self.speed.bytes_per_second, ASSUMED)
        self.assertEqual((self.speed.seconds_for(1), self.speed.seconds_for(int(20 * ASSUMED))), (10, 20))

    def test_of_small_files_the_last_few_count(self) -> None:
        self.send(1, 10)
        for _ in range(30):
            self.send(1, 1)
        self.assertAlmostEqual(self.speed.seconds_for(1), 1, places=1)

    def fail_to_send(self) -> None:
        body = Body(1)
        with self.speed.measured(body, lambda left: None) as measured:
            measured.startProducing(self.consumer)
            body.send(1)
            self.clock.advance(60)
            raise OSError

    def test_a_small_file_that_was_not_taken_tells_nothing(self) -> None:
        self.assertRaises(OSError, self.fail_to_send)
        self.assertLess(self.speed.seconds_for(1), 1)

    def test_what_does_not_move_is_slow(self) -> None:
        self.send(10 * MB, 1)
        with self.speed.measured(Body(10 * MB), lambda left: None):
            self.clock.advance(9)
            self.assertEqual(self.speed.bytes_per_second, MB)

    def test_what_is_long_ago_counts_less(self) -> None:
        self.send(10 * MB, 2 * MEMORY)
        self.send(100 * MB, 1)
        self.assertGreater(self.speed.bytes_per_second, MB)

    def test_the_body_is_sent_as_it_is(self) -> None:
        body = Body(10)
        with self.speed.measured(body, lambda left: None) as measured:
            sent = measured.startProducing(self.consumer)
            measured.pauseProducing()
            self.assertTrue(body.paused)
            measured.resumeProducing()
            body.send(10)
            body.sent.callback(None)
        self.successResultOf(sent)
        self.assertEqual((measured.length, self.consumer.got, body.paused), (10, 10, False))

    def test_a_body_that_breaks_says_why(self) -> None:
        body = Body(10)
        with self.speed.measured(body, lambda left: None) as measured:
            sent = measured.startProducing(self.consumer)
            body.sent.errback(Failure(OSError("gone")))
        self.failureResultOf(sent, OSError)

    def test_one_that_is_not_worth_going_on_ends(self) -> None:
        body, asked = Body(10), []

        def judge(left: int) -> Exception | None:
            asked.append(left)
            return OverflowError("it takes an hour") if left < 7 else None

        with self.speed.measured(body, judge) as measured:
            sent = measured.startProducing(self.consumer)
            body.send(1)
            self.assertNoResult(sent)
            body.send(5)
        self.failureResultOf(sent, OverflowError)
        self.assertEqual((asked, body.stopped), ([9, 4], True))

    def test_a_last_piece_is_not_judged(self) -> None:
        body = Body(10)
        with self.speed.measured(body, lambda left: OverflowError()) as measured:
            sent = measured.startProducing(self.consumer)
            body.send(10)
            body.sent.callback(None)
        self.successResultOf(sent)
