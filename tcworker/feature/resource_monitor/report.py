"""What was measured of a run: a table for its log, and a JSON document (docs/resource-use.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tcworker.feature.resource_monitor.series import Sample, Series, Total, Totals
from tcworker.feature.resource_monitor.sizes import in_units
from tcworker.interfaces import CommandRecord, IResult

VERSION = 1
"""Of the document; another one would be needed if what is there came to mean something else."""


def table(totals: Totals, result: IResult) -> str:
    """The lines for the log."""
    totals = _with_peak(totals, result.commands)
    rows = [
        ("", "Mean", "Peak", ""),
        ("CPU:", f"{totals.cpu.mean:.2f}", f"{totals.cpu.peak:.2f}", "  processors"),
        ("Memory:", in_units(totals.memory.mean), in_units(totals.memory.peak), ""),
        ("Processes:", f"{totals.processes.mean:.2f}", f"{totals.processes.peak:.0f}", ""),
    ]
    lines = [f"{label:>13}{mean:>13}{peak:>13}{unit}" for label, mean, peak, unit in rows]
    title = f"Resource use, measured {totals.measures} times in {totals.seconds:.1f} s:"
    disk = f"{'Disk:':>13}{in_units(totals.disk):>13}  read and written"
    return "\n".join([title, *lines, disk])


def document(series: Series, result: IResult, seconds: float) -> bytes:
    """The whole record as JSON.

    @param seconds: how long the sandbox ran.
    """
    totals = _with_peak(series.totals, result.commands)
    content = {
        "version": VERSION,
        "seconds": round(seconds, 3),
        "totals": {
            "cpu": _total(totals.cpu, 3),
            "memory": _total(totals.memory, 0),
            "processes": _total(totals.processes, 2),
            "disk": totals.disk,
        },
        "commands": list(_commands(result.commands)),
        "samples": [_sample(sample) for sample in series.samples],
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _with_peak(totals: Totals, commands: Iterable[CommandRecord]) -> Totals:
    # What was there between two measures, the kernel may have seen.
    return totals.with_peak(max((command.peak for command in commands), default=0))


def _total(total: Total, decimals: int) -> dict[str, float]:
    return {"mean": _rounded(total.mean, decimals), "peak": _rounded(total.peak, decimals)}


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) if decimals else round(value)


def _commands(commands: Sequence[CommandRecord]) -> Iterator[dict[str, Any]]:
    began = 0.0
    for command in commands:
        # One follows the other at once.
        yield {
            "time": round(began, 3),
            "seconds": round(command.wall, 3),
            "user": round(command.user, 3),
            "system": round(command.system, 3),
            "memory": command.peak,
        }
        began += command.wall


def _sample(sample: Sample) -> dict[str, float]:
    return {
        "time": round(sample.time, 2),
        "cpu": round(sample.cpu, 3),
        "memory": sample.memory,
        "disk": sample.disk,
        "processes": sample.processes,
    }
