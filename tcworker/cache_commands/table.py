"""What is kept for tasks, as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from tcworker.interfaces import JSON
from tcworker.printable import printable
from tcworker.task.claim import read_date

HEADINGS = ("KIND", "SIZE", "USED (UTC)", "AGO", "MADE IN", "STATE", "NAME")

_SPANS = (("days", 86400), ("h", 3600), ("min", 60))
"""Units of time, each used from two of it on."""


def as_table(caches: Sequence[JSON], now: float) -> str:
    """Give lines in columns, those used last first.

    @param caches: as L{tcworker.control.caches.as_json} gives them.
    @param now: seconds since 1970.
    """
    if not caches:
        return "nothing is kept"
    last_first = sorted(caches, key=lambda cache: cache["used"], reverse=True)
    rows = [HEADINGS, *(_columns(cache, now) for cache in last_first)]
    # The name comes last and has no width: it may be longer than any screen.
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    *columns, name = row
    return "  ".join([*(f"{text:{width}}" for text, width in zip(columns, widths, strict=True)), name])


def _columns(cache: JSON, now: float) -> Sequence[str]:
    used, ago = cache["used"][:16].replace("T", " "), _span(now - read_date(cache["used"]).timestamp())
    made_in = _seconds(cache["secondsToMake"])
    return cache["kind"], _size(cache["bytes"]), used, ago, made_in, _state(cache), _name(cache)


def _state(cache: JSON) -> str:
    # Of what many read it is not known who they are.
    by = f" by {cache['run']}" if cache["run"] else ""
    in_use = f"in use{by}" if cache["inUse"] else "idle"
    return f"{in_use}, to be purged" if cache["toBePurged"] else in_use


def _name(cache: JSON) -> str:
    # Tasks chose it.
    return printable(cache["name"])


def _size(number: int) -> str:
    size = float(number)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _span(seconds: float) -> str:
    for unit, length in _SPANS:
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds) // 60:.0f} min"


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
