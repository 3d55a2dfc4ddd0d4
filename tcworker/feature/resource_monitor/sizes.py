"""Sizes as people read them in the log."""

from __future__ import annotations

_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def in_units(size: float) -> str:
    """Write a number of bytes in B, KiB, MiB or GiB with two decimals (contracts of generic-worker, 7)."""
    if size < 1024:
        return f"{size:.0f} B"
    # As rounded: no "1024.00 KiB".
    unit = next((unit for unit, bytes_ in _UNITS.items() if round(size / bytes_, 2) < 1024), "GiB")
    return f"{size / _UNITS[unit]:.2f} {unit}"
