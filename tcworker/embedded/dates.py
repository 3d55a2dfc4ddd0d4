"""Points in time: inside they are whole milliseconds since 1970, outside they are RFC 3339 texts.

Lengths of time that are added to them are made of L{SECOND}, L{MINUTE} and L{DAY}. What is counted in seconds says so.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dateutil.parser
from twisted.internet.interfaces import IReactorTime

SECOND = 1000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE


def read(text: str) -> int:
    """Read a date of any precision and zone. Raises C{ValueError}."""
    date = datetime.fromisoformat(text.upper())
    aware = date.replace(tzinfo=UTC) if date.tzinfo is None else date
    return int(aware.timestamp() * 1_000_000 + 0.5) // 1000


def read_leniently(text: str) -> int:
    """Read a date as JavaScript's C{Date.parse} does, from about any form that people write. Raises C{ValueError}."""
    try:
        date = dateutil.parser.parse(text, default=datetime(2001, 1, 1, tzinfo=UTC))
    except OverflowError as error:
        raise ValueError(f"{text!r} is no date") from error
    return int(date.timestamp() * 1_000_000 + 0.5) // 1000


def write(when: int) -> str:
    """Write a date as the services do: UTC, milliseconds, C{Z} (contracts of the queue, 0.7)."""
    seconds, milliseconds = divmod(when, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def after(when: int, seconds: float) -> int:
    """Give the point in time that is so many seconds later."""
    return when + int(seconds * SECOND)


def now(clock: IReactorTime) -> int:
    """What time it is by a clock."""
    return int(clock.seconds() * SECOND)
