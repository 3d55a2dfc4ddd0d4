"""Asking for statuses: when, of what, and what follows from each answer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.hand import Hand
from tcworker.claims.statuses import Statuses, StatusPolls
from tcworker.interfaces import JSON
from tcworker.task.resolution import CANCELED, DEADLINE_EXCEEDED
from tcworker.testing.queue import FakeQueue
from tests.claims.test_hand import FakeRun
from tests.task.test_run_status import status


def answer(**reasons: str | None) -> JSON:
    """The statuses of tasks, by the reason of their first run."""
    return {"statuses": [{"taskId": task, "status": status(reason)} for task, reason in reasons.items()]}


class StatusCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.queue = FakeQueue()
        self.hand = Hand(self.clock)
        self.polls = StatusPolls(self.clock, Statuses(self.clock, self.queue, self.hand), self.hand, 10)
        self.polls.startService()
        self.addCleanup(self.finish)
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)

    def finish(self) -> None:
        if self.polls.running:
            self.successResultOf(self.polls.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def take(self, *task_ids: str) -> list[FakeRun]:
        runs = [FakeRun(task_id) for task_id in task_ids]
        for run in runs:
            self.hand.take(run)
        return runs

    def wait(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)

    @property
    def asked(self) -> list[Any]:
        """The tasks of each call that waits for its answer."""
        return [call.body["taskIds"] for call in self.queue.waiting("statuses")]

    def warnings(self) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_level"].name == "warn"]


class Polling(StatusCase):
    def test_every_so_many_seconds(self) -> None:
        self.take("a")
        self.queue.always("statuses", answer(a=None))
        self.wait(600)
        self.assertTrue(46 <= len(self.queue.made("statuses")) <= 80, self.queue.methods())

    def test_not_all_workers_at_once(self) -> None:
        self.take("a")
        moments = []
        for _ in range(6000):
            self.clock.advance(0.1)
            if self.asked:
                moments.append(self.clock.seconds())
                self.queue.answer("statuses", answer(a=None))
        pauses = [after - before for before, after in pairwise(moments)]
        self.assertTrue(all(7.4 <= pause <= 12.6 for pause in pauses), pauses)
        # Half a second of five: fifty and more never fall into that by chance.
        self.assertGreater(max(pauses) - min(pauses), 0.5, pauses)

    def test_in_fifteen_seconds_at_the_latest(self) -> None:
        self.wait(100)
        [run] = self.take("a")
        self.queue.always("statuses", answer(a="canceled"))
        self.wait(15)
        self.assertEqual(run.told, [CANCELED])

    def test_for_all_in_one_call(self) -> None:
        self.take(*"bcad")
        self.wait(13)
        self.assertEqual(self.asked, [["a", "b", "c", "d"]])

    def test_a_thousand_at_a_time(self) -> None:
        self.take(*(f"{number:04}" for number in range(2001)))
        self.wait(13)
        sizes = []
        while self.asked:
            sizes.append(len(self.asked[0]))
            self.queue.answer("statuses", answer())
        self.assertEqual(sizes, [1000, 1000, 1])

    def test_each_is_told_what_became_of_it(self) -> None:
        a, b, c, d = self.take(*"abcd")
        self.wait(13)
        self.queue.answer("statuses", answer(d="deadline-exceeded", a="canceled", b=None))
        self.assertEqual([a.told, b.told, c.told, d.told], [[CANCELED], [], [], [DEADLINE_EXCEEDED]])
        self.wait(13)
        self.assertEqual(self.asked, [["b", "c"]])

    def test_nothing_is_asked_while_nothing_runs(self) -> None:
        self.wait(100)
        self.assertEqual(self.queue.calls, [])

    def test_nor_for_runs_that_are_over_in_a_moment(self) -> None:
        for _ in range(400):
            [run] = self.take("a")
            self.clock.advance(0.25)
            self.hand.drop(run)
        self.assertEqual(self.queue.calls, [])

    def test_one_call_at_a_time_however_long_it_takes(self) -> None:
        self.take("a")
        self.wait(100)
        self.assertEqual(len(self.queue.calls), 1)

    def test_it_ends_with_the_service(self) -> None:
        self.take("a")
        self.wait(13)
        self.successResultOf(self.polls.stopService())
        self.assertTrue(self.queue.calls[0].cancelled)


class Trouble(StatusCase):
    def setUp(self) -> None:
        super().setUp()
        [self.run_in_hand] = self.take("a")
        self.wait(13)

    def assertGoesOn(self) -> None:
        """Fail unless it asks again, and understands the answer."""
        self.wait(13)
        self.queue.answer("statuses", answer(a="canceled"))
        self.assertEqual(self.run_in_hand.told, [CANCELED])

    def test_an_outage_is_told_once(self) -> None:
        for _ in range(3):
            self.queue.lose("statuses")
            self.wait(13)
            self.queue.refuse("statuses", 503, "", "away")
            self.wait(13)
        self.assertEqual(len(self.warnings()), 1, self.warnings())
        self.queue.lose("statuses")
        self.assertGoesOn()

    def test_and_again_when_it_has_been_over(self) -> None:
        self.queue.lose("statuses")
        self.wait(13)
        self.queue.answer("statuses", answer(a=None))
        self.wait(13)
        self.queue.lose("statuses")
        self.assertEqual(len(self.warnings()), 2)

    def test_what_may_pass_or_is_nobody_s_refusal_is_asked_again(self) -> None:
        for number, code in ((429, "TooManyRequests"), (408, ""), (404, ""), (400, "InputError"), (401, ""), (403, "")):
            self.queue.refuse("statuses", number, code, "no")
            self.wait(13)
        self.assertEqual(len(self.warnings()), 1, self.warnings())
        self.assertEqual(self.run_in_hand.queue.calls, [])
        self.queue.lose("statuses")
        self.assertGoesOn()

    def test_answers_that_are_none(self) -> None:
        for wrong in (
            [],
            "OK",
            {"statusses": []},
            {"statuses": None},
            {"statuses": 3},
            {"statuses": [None]},
            {"statuses": [{"taskId": "a"}]},
            {"statuses": [{"taskId": ["a"], "status": {}}]},
            {"statuses": [{"taskId": "a", "status": {}}]},
            {"statuses": [{"taskId": "a", "status": {"runs": [{"runId": 9}]}}]},
        ):
            self.queue.answer("statuses", wrong)
            self.wait(13)
        self.queue.answer("statuses", None)
        self.assertEqual(len(self.warnings()), 1, self.warnings())
        self.assertGoesOn()

    def test_a_task_that_nobody_asked_for_changes_nothing(self) -> None:
        self.queue.answer("statuses", answer(z="canceled", b=None))
        self.assertGoesOn()

    def test_a_run_that_breaks_does_not_end_the_asking(self) -> None:
        self.patch(self.run_in_hand, "taken_away", lambda resolution: 1 / 0)
        self.queue.answer("statuses", answer(a="canceled"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        [run] = self.take("b")
        self.wait(13)
        self.queue.answer("statuses", answer(b="canceled"))
        self.assertEqual(run.told, [CANCELED])


class Refusals(StatusCase):
    """A worker whose client may not ask."""

    def setUp(self) -> None:
        super().setUp()
        self.runs = self.take("a", "b", "c")
        self.wait(13)

    def test_each_run_asks_once_for_itself(self) -> None:
        a, b, c = self.runs
        a.queue.always("status", {"status": status("canceled")})
        b.queue.always("status", {"stratus": 7})
        c.queue.always("status", {"status": status(None)})
        self.queue.refuse("statuses", 403, "InsufficientScopes")
        self.assertEqual([a.told, b.told, c.told], [[CANCELED], [], []])
        self.wait(1000)
        self.assertEqual([len(run.queue.calls) for run in self.runs], [1, 1, 1])

    def test_one_that_is_refused_too_does_not_keep_the_others_from_asking(self) -> None:
        a, b, c = self.runs
        self.queue.refuse("statuses", 401, "AuthenticationFailed")
        a.queue.refuse("status", 403, "InsufficientScopes")
        b.queue.lose("status")
        c.queue.answer("status", {"status": status("canceled")})
        self.assertEqual(c.told, [CANCELED])

    def test_it_is_said_and_then_left_for_an_hour(self) -> None:
        self.queue.refuse("statuses", 403, "InsufficientScopes", "queue:status:a")
        for run in self.runs:
            run.queue.refuse("status", 403)
        self.wait(3590)
        self.assertEqual(len(self.queue.calls), 1)
        [warning] = self.warnings()
        for part in ("when claims are renewed", "60 minutes", "queue:status:a", "needs queue:status:*"):
            self.assertIn(part, warning)
        self.wait(30)
        self.assertEqual(len(self.queue.calls), 2)

    def test_whose_credentials_are_none_is_not_told_of_scopes(self) -> None:
        self.queue.refuse("statuses", 401, "AuthenticationFailed", "no such client")
        [warning] = self.warnings()
        self.assertIn("no such client", warning)
        self.assertNotIn("scopes", warning)
        self.assertNotIn("queue:status:*", warning)

    def test_each_connection_to_a_broker_has_each_run_ask_for_itself_all_the_same(self) -> None:
        self.queue.refuse("statuses", 403, "InsufficientScopes")
        for run in self.runs:
            run.queue.answer("status", {"status": status(None)})
        a, b, c = self.runs
        self.polls.rest()
        a.queue.answer("status", {"status": status("canceled")})
        b.queue.refuse("status", 403, "InsufficientScopes")
        c.queue.answer("status", {"status": status(None)})
        self.wait(200)
        self.assertEqual((a.told, [len(run.queue.calls) for run in self.runs]), ([CANCELED], [2, 2, 2]))
        self.assertEqual(len(self.queue.calls), 1)

    def test_and_again_what_got_no_answer(self) -> None:
        self.polls.rest()
        self.queue.refuse("statuses", 403, "InsufficientScopes")
        a, b, c = self.runs
        for run in a, b, c:
            run.queue.lose("status")
        self.wait(13)
        for run in a, b, c:
            run.queue.answer("status", {"status": status("canceled")})
        self.assertEqual([run.told for run in self.runs], [[CANCELED]] * 3)


class BesidePulse(StatusCase):
    def setUp(self) -> None:
        super().setUp()
        [self.run_in_hand] = self.take("a")
        self.polls.rest()

    def test_once_connected_it_is_asked_what_was_missed_and_no_more(self) -> None:
        # Also of a run that has just begun.
        self.queue.answer("statuses", answer(a=None))
        self.wait(100)
        self.assertEqual(len(self.queue.calls), 1)

    def test_until_the_queue_answers(self) -> None:
        for _ in range(3):
            self.queue.lose("statuses")
            self.wait(13)
        self.queue.answer("statuses", answer(a="canceled"))
        self.assertEqual(self.run_in_hand.told, [CANCELED])
        # By now all claims that were on their way are there.
        self.wait(40)
        self.take("b")
        self.wait(100)
        self.assertEqual(len(self.queue.calls), 4)

    def test_so_it_is_of_runs_whose_claims_were_on_their_way(self) -> None:
        self.queue.answer("statuses", answer(a=None))
        self.wait(20)
        [run] = self.take("b")
        self.wait(13)
        self.assertEqual(self.asked, [["b"]])
        self.queue.answer("statuses", answer(b="canceled"))
        self.assertEqual(run.told, [CANCELED])

    def test_also_where_they_come_late(self) -> None:
        self.queue.answer("statuses", answer(a=None))
        self.wait(59)
        self.take("b")
        self.wait(13)
        self.assertEqual(self.asked, [["b"]])

    def test_but_not_of_those_that_come_for_ever(self) -> None:
        self.queue.always("statuses", answer())
        self.wait(75)
        asked = len(self.queue.calls)
        for number in range(100):
            self.take(f"task-{number}")
            self.wait(1)
        self.assertEqual(len(self.queue.calls), asked)

    def test_when_the_connection_is_lost_it_is_asked_again(self) -> None:
        self.queue.answer("statuses", answer(a=None))
        self.polls.resume()
        self.wait(13)
        self.queue.answer("statuses", answer(a="canceled"))
        self.assertEqual(self.run_in_hand.told, [CANCELED])

    def test_each_connection_asks_anew(self) -> None:
        for _ in range(3):
            self.polls.rest()
            self.polls.resume()
        self.polls.rest()
        # An answer to what was asked before says nothing of what was missed since.
        self.assertEqual([call.cancelled for call in self.queue.calls], [True, True, True, True, False])

    def test_what_comes_behind_the_end_changes_nothing(self) -> None:
        self.successResultOf(self.polls.stopService())
        self.polls.resume()
        self.polls.rest()
        self.wait(100)
        self.assertEqual(len(self.queue.calls), 1)
