"""A C{tcworker} on a machine whose clock is set: by an hour, forward at SIGUSR1 and back at SIGUSR2."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

HOUR = 3600.0

JUMPS = {signal.SIGUSR1: HOUR, signal.SIGUSR2: -HOUR}


class WallClock:
    """In the place of C{time.time}."""

    def __init__(self) -> None:
        self._true = time.time
        self._wrong = 0.0

    def __call__(self) -> float:
        return self._true() + self._wrong

    def jump(self, number: int, frame: FrameType | None) -> None:
        """Set it, as a signal says."""
        self._wrong += JUMPS[signal.Signals(number)]
        print(f"set to {self():.0f}", file=sys.stderr, flush=True)


def main() -> int:
    """Be the command."""
    clock = WallClock()
    for number in JUMPS:
        signal.signal(number, clock.jump)
    time.time = clock
    # Only now: whoever is imported earlier would keep the true one.
    from tcworker.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
