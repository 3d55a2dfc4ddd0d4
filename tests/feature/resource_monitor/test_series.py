"""Measures become the course of a run."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.resource_monitor.series import MOST_SAMPLES, Sample, Series
from tcworker.interfaces import Usage

BEGAN = 1000.0


def usage(cpu: float = 0.0, memory: int = 0, disk: int = 0, processes: int = 1) -> Usage:
    return Usage(cpu, memory, disk, processes)


class Samples(SynchronousTestCase):
    """What one measure says."""

    def setUp(self) -> None:
        self.series = Series(BEGAN)

    def test_processors_in_use_are_those_since_the_last_measure(self) -> None:
        self.series.add(BEGAN + 0.5, usage(cpu=1.0))
        self.series.add(BEGAN + 1.5, usage(cpu=1.5))
        self.assertEqual([sample.cpu for sample in self.series.samples], [2.0, 0.5])

    def test_times_count_from_the_start(self) -> None:
        for time in (0.5, 1.25, 2.0):
            self.series.add(BEGAN + time, usage())
        self.assertEqual([sample.time for sample in self.series.samples], [0.5, 1.25, 2.0])

    def test_memory_and_processes_are_those_of_now_and_disk_is_all_so_far(self) -> None:
        self.series.add(BEGAN + 0.5, usage(memory=5, disk=100, processes=3))
        self.series.add(BEGAN + 1.0, usage(memory=4, disk=150, processes=2))
        last = self.series.samples[-1]
        self.assertEqual((last.memory, last.disk, last.processes), (4, 150, 2))

    def test_a_measure_at_once_after_another_says_nothing(self) -> None:
        self.series.add(BEGAN + 0.5, usage(cpu=0.5))
        self.series.add(BEGAN + 0.501, usage(cpu=0.6))
        self.series.add(BEGAN + 1.0, usage(cpu=1.0))
        self.assertEqual([sample.cpu for sample in self.series.samples], [1.0, 1.0])

    def test_what_ended_processes_used_does_not_count_backwards(self) -> None:
        for time, cpu in ((0.5, 1.0), (1.0, 0.75), (1.5, 1.5)):
            self.series.add(BEGAN + time, usage(cpu, disk=int(100 * cpu)))
        self.assertEqual([sample.cpu for sample in self.series.samples], [2.0, 0.0, 1.0])
        self.assertEqual([sample.disk for sample in self.series.samples], [100, 100, 150])

    def test_a_clock_that_is_set_back(self) -> None:
        self.series.add(BEGAN + 0.5, usage(cpu=0.5))
        self.series.add(BEGAN - 3600, usage(cpu=1.0))
        self.series.add(BEGAN - 3599.5, usage(cpu=1.5))
        self.assertEqual([sample.time for sample in self.series.samples], [0.5, 1.0])


class LongRuns(SynchronousTestCase):
    """Hours in some hundreds of samples."""

    def setUp(self) -> None:
        self.series = series = Series(BEGAN)
        self.times = [0.0]
        while self.times[-1] < 86400:
            self.times.append(self.times[-1] + min(series.width, 10.0))
            number = len(self.times)
            memory, processes = (9000, 70) if number == 4000 else (1000, 7)
            series.add(BEGAN + self.times[-1], usage(self.times[-1] * 1.5, memory, number, processes))

    def test_there_are_never_too_many(self) -> None:
        self.assertLessEqual(len(self.series.samples), MOST_SAMPLES)
        self.assertGreater(len(self.series.samples), MOST_SAMPLES // 3)

    def test_nothing_is_left_out(self) -> None:
        samples = self.series.samples
        self.assertAlmostEqual(samples[-1].time, self.times[-1])
        self.assertAlmostEqual(sum(sample.seconds for sample in samples), self.times[-1])
        self.assertEqual(samples[-1].disk, len(self.times))
        for sample in samples:
            self.assertAlmostEqual(sample.cpu, 1.5)

    def test_a_peak_stays_to_be_seen(self) -> None:
        self.assertEqual(max((sample.memory, sample.processes) for sample in self.series.samples), (9000, 70))
        self.assertEqual((self.series.totals.memory.peak, self.series.totals.processes.peak), (9000, 70))

    def test_they_are_of_about_the_same_width(self) -> None:
        widths = [sample.seconds for sample in self.series.samples[:-1]]
        self.assertGreater(min(widths), max(widths) / 3)


class Totals(SynchronousTestCase):
    """The whole run in some numbers."""

    def test_means_are_over_time_and_not_over_measures(self) -> None:
        series = Series(BEGAN)
        series.add(BEGAN + 1, usage(cpu=2.0, memory=100, processes=10))
        series.add(BEGAN + 4, usage(cpu=2.0, memory=20, processes=2))
        totals = series.totals
        self.assertEqual((totals.cpu.mean, totals.memory.mean, totals.processes.mean), (0.5, 40.0, 4.0))
        self.assertEqual((totals.cpu.peak, totals.memory.peak, totals.processes.peak), (2.0, 100, 10))
        self.assertEqual((totals.measures, totals.seconds), (2, 4.0))

    def test_a_peak_that_somebody_else_saw(self) -> None:
        totals = Series(BEGAN).totals.with_peak(7)
        self.assertEqual([totals.with_peak(other).memory.peak for other in (5, 9)], [7, 9])

    def test_two_samples_are_one_of_both_their_times(self) -> None:
        one, other = Sample(1.0, 1.0, 3.0, 10, 5, 1), Sample(4.0, 3.0, 1.0, 7, 9, 2)
        self.assertEqual(one.and_then(other), Sample(4.0, 4.0, 1.5, 10, 9, 2))
