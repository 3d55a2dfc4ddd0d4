"""Points in time: inside they are whole milliseconds since 1970, outside they are RFC 3339 texts.

Lengths of time that are added to them are made of L{SECOND}, L{MINUTE} and L{DAY}. What is counted in seconds says so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dateutil.parser
from twisted.internet.interfaces import IReactorTime

from tcworker.clocks import wall_seconds

SECOND = 1000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

FIRST = (datetime.min.replace(tzinfo=UTC) - _START) // _MILLISECOND
LAST = (datetime.max.replace(tzinfo=UTC) - _START) // _MILLISECOND
"""The last date that can be written: years have four digits."""


def read(text: str) -> int:
    """Read a date of any precision and zone. Raises C{ValueError}, also for one that L{write} could not write."""
    date = datetime.fromisoformat(text.upper())
    return _count(date.replace(tzinfo=UTC) if date.tzinfo is None else date)


def read_leniently(text: str) -> int:
    """Read a date as JavaScript's C{Date.parse} does, from about any form that people write. Raises C{ValueError}."""
    try:
        return _count(dateutil.parser.parse(text, default=datetime(2001, 1, 1, tzinfo=UTC)))
    except OverflowError as error:
        raise ValueError(f"{text!r} is no date") from error


def _count(date: datetime) -> int:
    when = (date - _START) // _MILLISECOND
    if not FIRST <= when <= LAST:
        raise ValueError(f"{date} is not within the years 1 to 9999 of UTC")
    return when


def write(when: int) -> str:
    """Write a date as the services do: UTC, milliseconds, C{Z} (contracts of the queue, 0.7)."""
    return f"{(_START + when * _MILLISECOND).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def after(when: int, seconds: float) -> int:
    """Give the point in time that is so many seconds later."""
    return when + int(seconds * SECOND)


def now(clock: IReactorTime) -> int:
    """The date by a clock, or by the machine's if that is the steady one of a reactor: clients have theirs, too."""
    return int(wall_seconds(clock) * SECOND)
