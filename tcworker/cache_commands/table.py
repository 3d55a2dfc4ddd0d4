"""What is kept for tasks, as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from tcworker.interfaces import JSON

HEADINGS = ("KIND", "SIZE", "USED", "MADE IN", "STATE", "NAME")


def as_table(caches: Sequence[JSON]) -> str:
    """Give lines in columns, those used last first.

    @param caches: as L{tcworker.control.caches.as_json} gives them.
    """
    if not caches:
        return "nothing is kept"
    rows = [HEADINGS, *(_columns(cache) for cache in sorted(caches, key=lambda cache: cache["used"], reverse=True))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    *columns, name = row
    return "  ".join([*(f"{text:{width}}" for text, width in zip(columns, widths, strict=True)), name])


def _columns(cache: JSON) -> Sequence[str]:
    used = cache["used"][:16].replace("T", " ")
    return cache["kind"], _size(cache["bytes"]), used, _seconds(cache["secondsToMake"]), _state(cache), _name(cache)


def _state(cache: JSON) -> str:
    in_use = "in use" if cache["inUse"] else "idle"
    return f"{in_use}, to be purged" if cache["toBePurged"] else in_use


def _name(cache: JSON) -> str:
    # Tasks chose it: it must not move the cursor, nor begin a line.
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in cache["name"])


def _size(number: int) -> str:
    size = float(number)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
