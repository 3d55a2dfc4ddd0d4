"""How long to wait before something is tried again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Delays that grow, so that whatever is in trouble gets room, and that scatter, so that not all come back at once.

    @ivar first: seconds before the first repetition.
    @ivar most: seconds that no delay exceeds.
    @ivar jitter: the share of a delay by which it may be shorter or longer.
    """

    first: float
    most: float
    factor: float = 2.0
    jitter: float = 0.25

    def delays(self, source: random.Random | None = None) -> Iterator[float]:
        """Give one delay after the other, in seconds, without end."""
        scatter = (source or random).uniform
        delay = self.first
        while True:
            yield min(self.most, delay * (1 + scatter(-self.jitter, self.jitter)))
            delay = min(self.most, delay * self.factor)
