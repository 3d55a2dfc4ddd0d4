"""What a worker takes for artifacts that are many, or have holes: measured, and held against its limits. Linux only.

The exit status is 1 if one is missed. C{docs/benchmarks.md} says how each figure is counted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from limits import MEMORY, Row, Step, measure, throughput, under

SMALL_FILES = 60.0
HOLES = 120.0


def small_files(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """Very many small files in one folder."""
    found = throughput(folder, "files", "-n", "1", "--files", str(wanted.files))
    yield under(f"{wanted.files} artifacts of 1 KB", found["median"], SMALL_FILES, "s")
    yield under("worker's memory meanwhile", found["peak memory"], MEMORY, "MB")


def file_with_holes(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """A file that is larger than it looks on the disk, compressed on its way."""
    found = throughput(folder, "holes", "-n", "1", "--megabytes", str(wanted.megabytes))
    yield under(f"artifact of {wanted.megabytes} MB that is one hole", found["median"], HOLES, "s")
    yield under("worker's memory meanwhile", found["peak memory"], MEMORY, "MB")


STEPS = [Step("files", small_files, 300), Step("holes", file_with_holes, 600)]


def main(arguments: Sequence[str]) -> int:
    """Measure, print each row as soon as it is known, and give the status to exit with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000, help="how many small ones (10000)")
    parser.add_argument("--megabytes", type=int, default=10_240, help="of the one with holes (10240)")
    wanted = parser.parse_args(arguments)
    rows = [row for step in STEPS for row in _printed(measure(step, wanted))]
    return int(not all(row.kept for row in rows))


def _printed(rows: Sequence[Row]) -> Sequence[Row]:
    print(*rows, sep="\n", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
