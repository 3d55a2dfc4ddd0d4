from __future__ import annotations

import random
from itertools import islice

from twisted.trial.unittest import SynchronousTestCase

from tcworker.retry import Backoff


class BackoffTests(SynchronousTestCase):
    def test_doubles_up_to_the_most(self) -> None:
        delays = Backoff(1, 30, jitter=0).delays()
        self.assertEqual(list(islice(delays, 7)), [1, 2, 4, 8, 16, 30, 30])

    def test_scatters_by_its_share(self) -> None:
        delays = list(islice(Backoff(4, 1000, factor=1).delays(random.Random(7)), 200))
        self.assertTrue(all(3 <= delay <= 5 for delay in delays))
        self.assertGreater(max(delays) - min(delays), 1)

    def test_never_exceeds_the_most(self) -> None:
        self.assertLessEqual(max(islice(Backoff(20, 20).delays(random.Random(7)), 100)), 20)

    def test_begins_anew_each_time(self) -> None:
        backoff = Backoff(1, 30, jitter=0)
        next(backoff.delays())
        self.assertEqual(next(backoff.delays()), 1)

    def test_a_given_source_makes_it_repeatable(self) -> None:
        first, second = (list(islice(Backoff(1, 9).delays(random.Random(3)), 5)) for _ in range(2))
        self.assertEqual(first, second)
