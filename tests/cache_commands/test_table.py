"""What is kept for tasks, as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.rows import DOWNLOADS, EXCLUSIVE, SHARED, Row
from tcworker.cache_commands.table import as_table
from tcworker.control.caches import as_json

USED = 1_800_000_000.0


def row(name: str, **more: Any) -> Any:
    """As a worker says it."""
    known: dict[str, Any] = {"kind": EXCLUSIVE, "platform": "native", "created": USED - 60, "used": USED, **more}
    return as_json(Row(id=1, name=name, **known))


def table(rows: Sequence[Any], now: float = USED) -> str:
    return as_table(rows, now)


class Tables(SynchronousTestCase):
    def test_what_was_used_last_comes_first(self) -> None:
        rows = [
            row("old", used=USED - 86400, size=3 << 30, seconds=754.2),
            row("artifact:x", kind=SHARED, platform=DOWNLOADS, size=1536, seconds=0.31),
        ]
        self.assertEqual(
            table(rows, USED + 90 * 60).splitlines(),
            [
                "KIND       SIZE     USED (UTC)        AGO     MADE IN      STATE  NAME",
                "shared     2 KiB    2027-01-15 08:00  90 min  0.3 s        idle   artifact:x",
                "exclusive  3.0 GiB  2027-01-14 08:00  25 h    12 min 34 s  idle   old",
            ],
        )

    def test_what_is_used_and_what_is_to_go(self) -> None:
        for more, state in (
            ({"run": "a/0"}, "in use by a/0"),
            ({"kind": SHARED, "readers": 2}, "in use"),
            ({"run": "a/0", "purged": True}, "in use by a/0, to be purged"),
            ({"purged": True}, "idle, to be purged"),
        ):
            self.assertIn(f"  {state}  ", table([row("one", **more)]))  # type: ignore[arg-type]  # as given

    def test_sizes(self) -> None:
        for size, text in ((0, "0 B"), (1023, "1023 B"), (5 << 20, "5 MiB"), (1 << 40, "1024.0 GiB")):
            self.assertIn(f"  {text}  ", table([row("one", size=size)]))

    def test_for_how_long_nobody_has_used_it(self) -> None:
        for seconds, text in (
            (-5, "0 min"),
            (59, "0 min"),
            (3600 * 2 - 1, "119 min"),
            (7200, "2 h"),
            (172_800, "2 days"),
        ):
            self.assertIn(f"  {text}  ", table([row("one", used=USED - seconds)]))

    def test_no_name_can_move_the_cursor(self) -> None:
        self.assertIn(r"a\x1b[2J\nb\u202e", table([row("a\x1b[2J\nb\u202e")]))

    def test_nothing(self) -> None:
        self.assertEqual(table([]), "nothing is kept")
