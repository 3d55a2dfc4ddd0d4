"""A C{tcworker} on a machine whose clock is set: forward at SIGUSR1, back at SIGUSR2, by as much as is said first."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

SIGNS = {signal.SIGUSR1: 1, signal.SIGUSR2: -1}


class WallClock:
    """In the place of C{time.time}."""

    def __init__(self, seconds: float) -> None:
        self._true = time.time
        self._seconds = seconds
        self._wrong = 0.0

    def __call__(self) -> float:
        return self._true() + self._wrong

    def jump(self, number: int, frame: FrameType | None) -> None:
        """Set it, as a signal says."""
        self._wrong += SIGNS[signal.Signals(number)] * self._seconds
        print(f"set to {self():.0f}", file=sys.stderr, flush=True)


def main() -> int:
    """Be the command."""
    clock = WallClock(float(sys.argv.pop(1)))
    for number in SIGNS:
        signal.signal(number, clock.jump)
    time.time = clock
    # Only now: whoever is imported earlier would keep the true one.
    from tcworker.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
