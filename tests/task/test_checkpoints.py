"""What there is of a log, published while it grows: when, how often, and what becomes of one that is under way."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import CallFailed, MalformedPayload, Unreachable
from tcworker.filebody import MemoryFile
from tcworker.task.checkpoints import CLOSE_SECONDS, FIRST, Checkpoints
from tcworker.task.log_compression import GzippedLog
from tcworker.worker_log import RunLogger


class Snapshot(MemoryFile):
    """The content of a log at some moment.

    @ivar open: whether nobody closed it yet.
    """

    def __init__(self, content: str) -> None:
        super().__init__("log", content.encode())
        self.content = content
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


class CheckpointTest(SynchronousTestCase):
    """Checkpoints of a log whose uploads end as the test says.

    @ivar text: the log as it is now.
    @ivar uploads: those that were begun, each with what is uploaded.
    @ivar given_up: which of them were cancelled.
    @ivar has_room: whether the disk has any for a copy of the log.
    @ivar referred: how often those who look for the log were led to a checkpoint.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.text = "log"
        self.snapshots: list[Snapshot] = []
        self.uploads: list[tuple[str, Deferred[None]]] = []
        self.given_up: list[int] = []
        self.answers: list[Deferred[None]] = []
        self.referred = 0
        self.has_room = True
        self.checkpoints = Checkpoints(
            self.clock,
            RunLogger("task/0"),
            take=self.take,
            first=lambda: self.assertEqual(self.uploads, []),
            publish=self.publish,
            refer=self.refer,
        )
        self.checkpoints.begin()

    def take(self) -> Deferred[GzippedLog]:
        if not self.has_room:
            return fail(OSError(28, "No space left on device"))
        self.snapshots.append(Snapshot(self.text))
        return succeed(GzippedLog(self.snapshots[-1], len(self.text)))

    def publish(self, log: GzippedLog) -> Deferred[None]:
        assert isinstance(log.file, Snapshot) and log.file.is_open
        number = len(self.uploads)
        upload = self.answers.pop(0) if self.answers else Deferred(lambda _: self.given_up.append(number))
        self.uploads.append((log.file.content, upload))
        return upload

    def refer(self) -> Deferred[None]:
        self.referred += 1
        return succeed(None)

    def answer(self, outcome: object = None) -> None:
        """End the newest upload."""
        upload = self.uploads[-1][1]
        if isinstance(outcome, Exception):
            upload.errback(outcome)
        else:
            upload.callback(None)

    def wait(self, seconds: float) -> None:
        """Let time pass, a second at a time."""
        for _ in range(int(seconds)):
            self.clock.advance(1)

    def uploaded(self) -> list[str]:
        return [text for text, _ in self.uploads]

    def finish(self, text: str = "all") -> Snapshot:
        """Stop, and put the whole log where it must be."""
        self.checkpoints.stop()
        return self.put_whole(text)

    def put_whole(self, text: str = "all") -> Snapshot:
        whole = Snapshot(text)
        self.successResultOf(Deferred.fromCoroutine(self.checkpoints.finish(GzippedLog(whole, len(text)))))
        return whole

    def close(self, seconds: float = 100) -> Deferred[None]:
        return Deferred.fromCoroutine(self.checkpoints.close(seconds))


class Times(CheckpointTest):
    """When."""

    def test_after_a_minute_and_whenever_the_run_lasts_twice_as_long(self) -> None:
        self.answers = [succeed(None) for _ in range(9)]
        moments: list[int] = []
        for second in range(1, 1000):
            self.clock.advance(1)
            if len(self.uploads) > len(moments):
                moments.append(second)
        self.assertEqual(moments, [60, 120, 240, 480, 960])
        self.finish()

    def test_a_short_run_has_none(self) -> None:
        self.wait(FIRST - 1)
        self.finish()
        self.assertEqual((self.snapshots, self.clock.getDelayedCalls()), ([], []))

    def test_one_at_a_time_however_long_it_takes(self) -> None:
        self.wait(300)
        self.assertEqual(len(self.uploads), 1)
        self.answer()
        self.wait(180)
        self.assertEqual(len(self.uploads), 2)
        self.finish()
        self.assertEqual(self.given_up, [1])

    def test_each_has_the_log_as_it_is_then_and_leaves_no_file_open(self) -> None:
        self.answers = [succeed(None), succeed(None)]
        self.wait(60)
        self.text = "longer log"
        self.wait(60)
        self.finish()
        self.assertEqual(self.uploaded(), ["log", "longer log"])
        self.assertEqual([snapshot.is_open for snapshot in self.snapshots], [False, False])

    def test_those_who_look_for_the_log_are_led_to_the_first_once_it_is_there(self) -> None:
        self.wait(60)
        self.assertEqual(self.referred, 0)
        self.answer()
        self.assertEqual(self.referred, 1)
        self.answers = [succeed(None)]
        self.wait(60)
        self.assertEqual((len(self.uploads), self.referred), (2, 1))
        self.finish()


class Trouble(CheckpointTest):
    """What cannot be published."""

    def test_an_outage_is_waited_for_and_then_the_newest_is_published(self) -> None:
        self.wait(60)
        self.answer(Unreachable("createArtifact", "away"))
        self.text = "newer"
        self.wait(10)
        self.assertEqual(self.uploaded(), ["log", "newer"])
        self.answer()
        self.assertEqual(self.referred, 1)
        self.finish()

    def test_a_refusal_ends_it_until_the_next(self) -> None:
        for refusal in (CallFailed("createArtifact", 403, "InsufficientScopes", "no"), MalformedPayload("taken")):
            self.setUp()
            self.wait(60)
            self.answer(refusal)
            self.wait(59)
            self.assertEqual((len(self.uploads), self.referred), (1, 0))
            self.wait(1)
            self.assertEqual(len(self.uploads), 2)
            self.answer()
            self.finish()

    def test_whatever_goes_wrong_the_run_goes_on(self) -> None:
        self.wait(60)
        self.answer(KeyError("putUrl"))
        self.answers = [fail(KeyError("putUrl"))]
        self.finish()
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    def test_a_disk_without_room_for_one_costs_nothing_else(self) -> None:
        self.has_room = False
        self.wait(100)
        self.finish()
        self.assertEqual((self.uploads, self.clock.getDelayedCalls()), ([], []))


class TheEnd(CheckpointTest):
    """What is under way when the log is sealed."""

    def test_none_is_begun(self) -> None:
        self.wait(60)
        self.answer(Unreachable("createArtifact", "away"))
        self.checkpoints.stop()
        self.wait(1000)
        self.assertEqual(len(self.uploads), 1)

    def test_one_that_is_under_way_is_given_up_if_an_earlier_one_is_there(self) -> None:
        self.answers = [succeed(None)]
        self.wait(120)
        self.finish()
        self.assertEqual((len(self.uploads), self.given_up), (2, [1]))
        self.successResultOf(self.close())

    def test_the_first_goes_on_for_what_is_listed_must_be_there(self) -> None:
        self.wait(60)
        self.finish()
        closing = self.close()
        self.assertNoResult(closing)
        self.answer()
        self.successResultOf(closing)
        self.assertEqual((len(self.uploads), self.referred, self.clock.getDelayedCalls()), (1, 0, []))

    def test_but_not_for_ever(self) -> None:
        self.wait(60)
        self.finish()
        closing = self.close()
        self.wait(CLOSE_SECONDS)
        self.successResultOf(closing)
        self.assertEqual((self.given_up, self.clock.getDelayedCalls()), ([0, 1], []))

    def test_where_it_is_lost_without_a_word_there_is_time_for_the_whole_log(self) -> None:
        self.wait(60)
        self.finish()
        closing = self.close(seconds=4)
        self.wait(2)
        self.assertEqual((self.uploaded(), self.given_up), (["log", "all"], [0]))
        self.answer()
        self.successResultOf(closing)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_whole_log_that_is_on_its_way_is_not_begun_again(self) -> None:
        self.wait(60)
        self.finish()
        closing = self.close()
        self.wait(1)
        self.answer(Unreachable("PUT", "connection lost"))
        self.wait(CLOSE_SECONDS - 2)
        self.assertEqual((self.uploaded(), self.given_up), (["log", "all"], []))
        self.answer()
        self.successResultOf(closing)

    def test_a_refusal_of_the_whole_log_is_not_asked_again(self) -> None:
        self.wait(60)
        self.finish()
        closing = self.close()
        self.answers = [fail(MalformedPayload("taken"))]
        self.answer(Unreachable("PUT", "connection lost"))
        self.successResultOf(closing)
        self.assertEqual(self.uploaded(), ["log", "all"])

    def test_where_there_is_no_whole_log_it_has_all_the_time(self) -> None:
        self.wait(60)
        self.checkpoints.stop()
        closing = self.close()
        self.wait(CLOSE_SECONDS - 1)
        self.assertEqual(self.given_up, [])
        self.wait(1)
        self.successResultOf(closing)
        self.assertEqual(self.uploaded(), ["log"])

    def test_nor_for_longer_than_there_is_time(self) -> None:
        self.wait(60)
        self.finish()
        closing = self.close(seconds=2)
        self.wait(2)
        self.successResultOf(closing)

    def test_if_it_fails_then_the_whole_log_stands_in_for_it(self) -> None:
        self.wait(60)
        self.finish()
        closing = self.close()
        self.answer(Unreachable("PUT", "connection lost"))
        self.assertEqual(self.uploaded(), ["log", "all"])
        self.answer(Unreachable("PUT", "connection lost"))
        self.wait(1)
        self.assertEqual(self.uploaded(), ["log", "all", "all"])
        self.answer()
        self.successResultOf(closing)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_which_is_tried_again_until_it_is_there(self) -> None:
        self.wait(60)
        self.answer(Unreachable("PUT", "connection lost"))
        self.answers = [fail(Unreachable("PUT", "connection lost")), fail(Unreachable("PUT", "away")), succeed(None)]
        self.finish()
        closing = self.close()
        self.wait(2)
        self.successResultOf(closing)
        self.assertEqual(self.uploaded(), ["log", "all", "all", "all"])

    def test_a_run_that_is_given_up_leaves_that_to_the_next_worker(self) -> None:
        self.wait(60)
        self.answer(Unreachable("PUT", "connection lost"))
        self.checkpoints.stop()
        self.successResultOf(self.close(seconds=0))
        self.assertEqual((self.uploaded(), self.clock.getDelayedCalls()), (["log"], []))

    def test_the_whole_log_stands_in_for_a_first_one_that_failed(self) -> None:
        self.wait(60)
        self.answer(Unreachable("PUT", "connection lost"))
        self.answers = [succeed(None)]
        whole = self.finish()
        self.assertEqual((self.uploaded(), whole.is_open), (["log", "all"], True))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LateSecrets(CheckpointTest):
    """Something that must not be seen, found in what was published."""

    def test_another_takes_its_place_at_once(self) -> None:
        self.answers = [succeed(None)]
        self.wait(60)
        self.text = "[masked]"
        self.checkpoints.late_secret()
        self.assertEqual(self.uploaded(), ["log", "[masked]"])
        self.answer()
        self.finish()
        self.assertEqual(len(self.uploads), 2)

    def test_one_that_is_under_way_is_given_up_for_it(self) -> None:
        self.wait(60)
        self.text = "[masked]"
        self.checkpoints.late_secret()
        self.assertEqual((self.uploaded(), self.given_up), (["log", "[masked]"], [0]))
        self.answer()
        self.finish()

    def test_where_nothing_was_published_nothing_is(self) -> None:
        self.checkpoints.late_secret()
        self.assertEqual(self.uploads, [])
        self.finish()
        self.assertEqual(self.uploads, [])

    def test_one_that_is_found_at_the_end_is_in_none_after_it(self) -> None:
        self.answers = [succeed(None), succeed(None)]
        self.wait(60)
        self.checkpoints.stop()
        self.checkpoints.late_secret()
        self.put_whole("[masked]")
        self.assertEqual(self.uploaded(), ["log", "[masked]"])

    def test_nor_is_it_in_a_first_one_that_is_still_under_way_then(self) -> None:
        self.wait(60)
        self.answers = [succeed(None)]
        self.checkpoints.stop()
        self.checkpoints.late_secret()
        self.put_whole("[masked]")
        self.assertEqual((self.uploaded(), self.given_up), (["log", "[masked]"], [0]))
        self.successResultOf(self.close())


class OfADeadWorker(CheckpointTest):
    """One of which nobody knows whether it is there."""

    def test_the_whole_log_takes_its_place(self) -> None:
        self.answers = [succeed(None)]
        self.checkpoints.owe()
        self.finish()
        self.assertEqual(self.uploaded(), ["all"])
