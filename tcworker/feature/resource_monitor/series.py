"""The course of a run's resource use: some hundreds of samples, however long it runs; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tcworker.interfaces import Usage

FIRST_WIDTH = 0.5
"""Seconds that a sample stands for as long as there are few."""

MOST_SAMPLES = 300

_SHORTEST = 0.2
"""A measure so soon after the last one tells nothing new: processor time is counted in steps of 10 ms."""


@dataclass(frozen=True)
class Sample:
    """What a run used in some stretch of time.

    @ivar time: when that ended, in seconds since the start of the run.
    @ivar seconds: how long it was.
    @ivar cpu: processors in use, on average.
    @ivar memory: bytes, the most that were measured.
    @ivar disk: bytes read and written since the start of the run.
    @ivar processes: the most that were measured.
    """

    time: float
    seconds: float
    cpu: float
    memory: int
    disk: int
    processes: int

    def and_then(self, later: Sample) -> Sample:
        """Both as one."""
        seconds = self.seconds + later.seconds
        return Sample(
            later.time,
            seconds,
            (self.cpu * self.seconds + later.cpu * later.seconds) / seconds,
            max(self.memory, later.memory),
            later.disk,
            max(self.processes, later.processes),
        )


@dataclass(frozen=True)
class Total:
    """A quantity over the whole run."""

    mean: float = 0.0
    peak: float = 0.0

    def with_value(self, value: float, share: float) -> Total:
        """Count a value that held for such a part of the time so far."""
        return Total(self.mean + (value - self.mean) * share, max(self.peak, value))


@dataclass(frozen=True)
class Totals:
    """What was measured in all; nothing is lost here when samples are put together."""

    measures: int = 0
    seconds: float = 0.0
    cpu: Total = Total()
    memory: Total = Total()
    processes: Total = Total()
    disk: int = 0

    def and_then(self, sample: Sample) -> Totals:
        """With one more."""
        seconds = self.seconds + sample.seconds
        share = sample.seconds / seconds
        return Totals(
            self.measures + 1,
            seconds,
            self.cpu.with_value(sample.cpu, share),
            self.memory.with_value(sample.memory, share),
            self.processes.with_value(sample.processes, share),
            sample.disk,
        )

    def with_peak(self, memory: int) -> Totals:
        """With what is known of the peak of memory otherwise."""
        return replace(self, memory=replace(self.memory, peak=max(self.memory.peak, memory)))


class Series:
    """Samples of one run, from measures at whatever times.

    @ivar samples: in order of time; neighbours are put together when there are too many.
    @ivar width: seconds that each of them stands for, about.

    @param now: the time by the clock whose readings L{add} is given.
    """

    def __init__(self, now: float) -> None:
        self.samples: list[Sample] = []
        self.totals = Totals()
        self.width = FIRST_WIDTH
        self._now = now
        self._cpu = 0.0

    def add(self, now: float, usage: Usage) -> None:
        """Take a measure in."""
        seconds = now - self._now
        if 0 <= seconds < _SHORTEST:
            return
        self._now = now
        # The clock was set back: how long it was, the next one tells.
        if seconds > 0:
            self._add(self._sample(seconds, usage))

    def _sample(self, seconds: float, usage: Usage) -> Sample:
        # Where processes are counted and not a group, what one of them used may be missing for a moment.
        used, self._cpu = max(0.0, usage.cpu - self._cpu), max(self._cpu, usage.cpu)
        time, disk = self.totals.seconds + seconds, max(self.totals.disk, usage.disk)
        return Sample(time, seconds, used / seconds, usage.memory, disk, usage.processes)

    def _add(self, sample: Sample) -> None:
        self.totals = self.totals.and_then(sample)
        if self.samples and self.samples[-1].seconds + sample.seconds / 2 <= self.width:
            self.samples[-1] = self.samples[-1].and_then(sample)
        else:
            self.samples.append(sample)
        if len(self.samples) > MOST_SAMPLES:
            self._halve()

    def _halve(self) -> None:
        pairs = [self.samples[index : index + 2] for index in range(0, len(self.samples), 2)]
        self.samples = [pair[0].and_then(pair[-1]) if len(pair) == 2 else pair[0] for pair in pairs]
        self.width *= 2
