"""What a user of its own costs a task: measured, and printed beside its limit. Linux only, as root.

The exit status is 1 if a limit is missed. C{docs/benchmarks.md} says how each figure is counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from limits import Row, throughput, under
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from tcworker.config import Config
from tcworker.engine.native.platform import NativePlatform
from tcworker.interfaces import Credentials
from tcworker.testing.context import FakeTaskContext

OVERHEAD_MS, GROWTH = 150.0, 1.3
UID = 39_999
"""Outside of the range that workers use."""

NAME = f"task_{UID}"
TRIES = 15


def creation() -> float:
    """Seconds that the machine takes to make a user and to remove it again; the median."""
    return statistics.median(_make_and_remove() for _ in range(TRIES))


def _make_and_remove() -> float:
    begun = time.monotonic()
    subprocess.run(["useradd", "--uid", str(UID), "--no-create-home", "--user-group", NAME], check=True)
    subprocess.run(["userdel", NAME], check=True)
    return time.monotonic() - begun


def overhead(folder: Path, tasks: int) -> Iterator[Row]:
    """A task of C{true} from its claim to its report, without the user's creation."""
    settings = ("taskUsers=true", f'tasksDir="{folder}/tasks"')
    arguments = [word for setting in settings for word in ("--setting", setting)]
    took, made = throughput(folder, "true", "-n", str(tasks), *arguments)["median"], creation()
    note = f"{1000 * took:.0f} ms, of which the user {1000 * made:.0f} ms"
    yield under("task with its own user, from claim to report", 1000 * (took - made), OVERHEAD_MS, "ms", note)


async def growth(reactor: Any, folder: Path, tasks: int) -> Row:
    """How much longer the last of many sandboxes take to start than the first."""
    worker = ("https://tc.example.com", Credentials("bench", ""), "bench", "bench")
    config = Config(*worker, task_users=True, tasks_dir=f"{folder}/tasks")
    platform = NativePlatform(reactor, config)
    await platform.prepare([])
    try:
        times = [await _start(reactor, platform, str(folder)) for _ in range(tasks)]
    finally:
        await platform.dispose()
    part = tasks // 4
    first, last = (1000 * statistics.median(some) for some in (times[:part], times[-part:]))
    note = f"{last:.0f} ms of {first:.0f} ms, after {tasks} tasks"
    return under("start of the last sandboxes, of the first", last / first, GROWTH, "times", note)


async def _start(reactor: Any, platform: NativePlatform, folder: str) -> float:
    """Run a task; how many seconds its start took."""
    context = FakeTaskContext(reactor, {"command": [["true"]]}, folder=folder)
    begun = time.monotonic()
    execution = await platform.new_engine(context).start()
    took = time.monotonic() - begun
    await (await execution.when_finished()).dispose()
    return took


def main(arguments: Sequence[str]) -> int:
    """Measure, print each row as soon as it is known, and give the status to exit with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200, help="for each measurement (200)")
    wanted = parser.parse_args(arguments)
    rows: list[Row] = []

    async def work(reactor: Any, folder: Path) -> None:
        rows.append(await growth(reactor, folder, wanted.tasks))

    with tempfile.TemporaryDirectory(prefix="own-users-") as folder:
        os.chmod(folder, 0o711)
        rows += overhead(Path(folder), wanted.tasks)
        try:
            react(lambda reactor: Deferred.fromCoroutine(work(reactor, Path(folder))))
        except SystemExit as end:
            if end.code:
                raise
    for row in rows:
        print(row, flush=True)
    return int(not all(row.kept for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
