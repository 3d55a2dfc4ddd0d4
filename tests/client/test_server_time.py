"""What time it is at a server whose clock is not this machine's."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate

from hypothesis import strategies as st
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.server_time import DRIFT, ServerTime
from tests.hypotheses import given

NOON = 1_900_000_000.0


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Machine:
    """One whose clock is wrong, and a server.

    @ivar true: the server's clock.
    @ivar wrong: by how much the machine's is ahead of it.
    """

    def __init__(self, wrong: float = 0.0) -> None:
        self.true, self.wrong, self.steady = NOON, wrong, 77.0
        self.time = ServerTime(lambda: self.true + self.wrong, lambda: self.steady)

    def go(self, seconds: float) -> None:
        self.true += seconds
        self.steady += seconds

    def call(self, before: float = 0.0, after: float = 0.0) -> None:
        """One request, whose answer is dated so many seconds after it was sent, and comes so many seconds later."""
        asked = self.time.steady()
        self.go(before)
        date = formatdate(self.true, usegmt=True)
        self.go(after)
        self.time.heard(date, asked)


class Telling(SynchronousTestCase):
    """A server that has answered."""

    def test_to_a_second(self) -> None:
        for wrong in (0, 600, -600, 86400 * 365):
            machine = Machine(wrong)
            machine.call(0.1, 0.1)
            self.assertLessEqual(abs(machine.time.seconds() - machine.true), 1.2)
            self.assertTrue(machine.time.known)

    def test_until_it_has_this_machine_is_believed(self) -> None:
        machine = Machine(600)
        self.assertEqual((machine.time.seconds(), machine.time.known), (NOON + 600, False))
        self.assertEqual(machine.time.left(at(NOON + 700)), 100)

    def test_what_is_no_date_says_nothing(self) -> None:
        machine = Machine(600)
        for date in ("", "soon", "Mon, 99 Foo 2030 12:00:00 GMT", "0", "\0"):
            machine.time.heard(date, machine.time.steady())
        self.assertFalse(machine.time.known)

    def test_an_absurd_date_says_nothing_for_no_date_lies_so_far_from_now(self) -> None:
        machine = Machine(600)
        for year in (1, 1601, 1970, 2019, 2101, 9999):
            machine.time.heard(f"Fri, 30 Dec {year:04} 23:59:59 GMT", machine.time.steady())
        self.assertFalse(machine.time.known)

    def test_a_date_without_a_zone_is_meant_as_utc(self) -> None:
        machine = Machine(600)
        machine.time.heard("Tue, 01 Jan 2030 12:00:00 -0000", machine.steady)
        self.assertLessEqual(abs(machine.time.seconds() - datetime(2030, 1, 1, 12, tzinfo=UTC).timestamp()), 1)

    @given(
        st.floats(-1e6, 1e6),
        st.lists(st.tuples(*[st.floats(0, 30)] * 3), min_size=1, max_size=8),
        st.floats(0, 1e5),
    )
    def test_the_truth_is_always_within_what_it_says(
        self, wrong: float, calls: list[tuple[float, float, float]], later: float
    ) -> None:
        machine = Machine(wrong)
        for pause, before, after in calls:
            machine.go(pause)
            machine.call(before, after)
        machine.go(later)
        moment = machine.true + 1000
        self.assertLessEqual(machine.time.left(at(moment)), 1000.001)
        self.assertGreaterEqual(machine.time.until_past(at(moment)), 999.999)

    def test_several_answers_say_more_than_one(self) -> None:
        machine = Machine(600)
        machine.call(0.0, 20.0)
        wide = self.spread(machine)
        for _ in range(20):
            machine.go(0.37)
            machine.call(0.01, 0.01)
        self.assertGreater(wide, 20)
        self.assertLess(self.spread(machine), 0.3)

    def test_an_answer_that_was_long_in_coming_takes_nothing_away(self) -> None:
        machine = Machine()
        machine.call()
        before = self.spread(machine)
        machine.call(10, 10)
        self.assertLess(self.spread(machine), before + 0.1)

    def test_two_clocks_come_apart(self) -> None:
        machine = Machine()
        machine.call()
        before = self.spread(machine)
        machine.go(3600)
        self.assertAlmostEqual(self.spread(machine) - before, 2 * DRIFT * 3600, places=3)

    def spread(self, machine: Machine) -> float:
        moment = at(machine.true + 1000)
        return machine.time.until_past(moment) - machine.time.left(moment)


class Jumping(SynchronousTestCase):
    """Clocks that are set."""

    def test_this_machine_s_clock_may_be_set_at_any_time(self) -> None:
        machine = Machine()
        machine.call()
        for wrong in (3600, -3600):
            machine.wrong = wrong
            self.assertLessEqual(abs(machine.time.seconds() - machine.true), 1)

    def test_a_machine_that_stood_still_without_a_notice_learns_from_the_next_answer(self) -> None:
        machine = Machine()
        machine.call()
        machine.true += 7200
        self.assertLessEqual(abs(machine.time.seconds() - (machine.true - 7200)), 1)
        machine.call()
        self.assertLessEqual(abs(machine.time.seconds() - machine.true), 1)


class Saying(SynchronousTestCase):
    """What operators read."""

    def setUp(self) -> None:
        self.machine = Machine()

    def said(self, wrong: float) -> list[str]:
        with capturedLogs() as events:
            self.machine.wrong = wrong
            self.machine.call()
            self.machine.call()
        return [formatEvent(event).partition(",")[0] for event in events]

    def test_a_clock_that_is_wrong_is_said_once(self) -> None:
        [line] = self.said(600)
        self.assertRegex(line, "^this machine's clock is (599|600|601) s ahead of that of Taskcluster$")
        self.assertEqual(self.said(601), [])
        [line] = self.said(-600)
        self.assertRegex(line, "behind that of Taskcluster$")

    def test_one_that_is_right_is_not_worth_a_word_unless_it_was_wrong(self) -> None:
        self.assertEqual(self.said(20), [])
        self.said(600)
        self.assertEqual(self.said(0), ["this machine's clock is again the same as that of Taskcluster"])
