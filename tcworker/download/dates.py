"""Dates as servers write them (RFC 9110, 5.6.7). Pure."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def seconds_between(earlier: str, later: str) -> float | None:
    """Seconds from one date to another; C{None} if one of them is none, or none that can be counted with."""
    try:
        return (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds()
    # What a server writes may name a year or a zone that no date has.
    except (ValueError, TypeError, ArithmeticError):
        return None
