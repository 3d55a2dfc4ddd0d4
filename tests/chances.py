"""How long a test is that could be of any length: short in the suite, and the same each time; whole in C{make soak}."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

SOAKING = bool(os.environ.get("TCWORKER_SOAK"))
"""Whether this is C{make soak}."""


def chances(short: int, whole: int) -> Iterator[Random]:
    """Seeded sources of chance, one for each round of a test; the number of a round that fails is its seed."""
    return map(Random, range(whole if SOAKING else short))
