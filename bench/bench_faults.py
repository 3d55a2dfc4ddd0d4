"""What a worker does when something happens to it: measured, and printed beside its limit. Linux only.

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
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import slugid
from day import day, polling
from deployment import embedded
from limits import TCWORKER, Row, Step, measure, under
from throughput import OURS, PROVISIONER_ID, write_config
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from tcworker.client.http import HTTP
from tcworker.client.services import Queue
from tcworker.interfaces import JSON
from tcworker.task.claim import write_date
from tcworker.waiting import pause
from tests.integration.rabbitmq import RabbitMQ

NOTICED_MS = 300.0
POOL = f"{PROVISIONER_ID}/faults"
PATIENCE = 120.0
SIMULATED = [Step("polling", polling, 120), Step("day", day, 600)]

# Its child may be gone before it is told itself, and one that it starts then is gone at once.
UNTIL_TOLD = """
trap ': > {ended}; exit 1' TERM
: > {begun}
while true; do sleep 3600 & wait; done
"""


class Cancels:
    """Tasks of one worker that listens to a broker, and how long they run on when they are cancelled.

    @param running: how many run while one is cancelled; as many are cancelled.
    """

    def __init__(self, reactor: Any, queue: Any, folder: Path, running: int) -> None:
        self._reactor = reactor
        self._queue = queue
        self._folder = folder
        self._running = running

    async def measure(self) -> Sequence[float]:
        """Cancel one task after the other, while others take their places; the milliseconds that each took."""
        tasks = await self._create(2 * self._running)
        took = []
        for number, task_id in enumerate(tasks[: self._running]):
            await self._until(lambda: len(self._all("begun")) == self._running + number)  # noqa: B023  # used now
            await pause(self._reactor, 0.1)
            begun = time.time()
            await self._queue.cancel_task(task_id)
            took.append(await self._told_after(task_id, begun))
        return took

    async def measure_all(self) -> Sequence[float]:
        """Cancel all that run at the same time; the milliseconds that each took from the queue's answer."""
        await self._until(lambda: len(self._all("begun")) == 2 * self._running)
        tasks = set(self._all("begun")) - set(self._all("ended"))
        return await gatherResults([Deferred.fromCoroutine(self._cancel(task_id)) for task_id in tasks])

    async def _cancel(self, task_id: str) -> float:
        await self._queue.cancel_task(task_id)
        return await self._told_after(task_id, time.time())

    async def _create(self, count: int) -> Sequence[str]:
        tasks = [str(slugid.nice()) for _ in range(count)]
        for task_id in tasks:
            await self._queue.create_task(task_id, self._definition(task_id))
        return tasks

    def _definition(self, task_id: str) -> JSON:
        now = datetime.now(UTC)
        script = UNTIL_TOLD.format(ended=self._place("ended", task_id), begun=self._place("begun", task_id))
        return {
            "taskQueueId": POOL,
            "created": write_date(now),
            "deadline": write_date(now + timedelta(hours=1)),
            "payload": {"command": [["sh", "-c", script]], "maxRunTime": 3600},
            "metadata": {
                "name": "bench",
                "description": "",
                "owner": "nobody@example.com",
                "source": "https://example.com/",
            },
        }

    async def _told_after(self, task_id: str, begun: float) -> float:
        """Wait until a task was told; how long that took from a moment, in milliseconds."""
        ended = self._place("ended", task_id)
        await self._until(ended.exists)
        return 1000 * (ended.stat().st_mtime - begun)

    def _place(self, what: str, task_id: str) -> Path:
        return self._folder / what / task_id

    def _all(self, what: str) -> Sequence[str]:
        return os.listdir(self._folder / what)

    async def _until(self, true: Callable[[], bool]) -> None:
        end = self._reactor.seconds() + PATIENCE
        while not true():
            if self._reactor.seconds() > end:
                raise SystemExit("a task did not begin, or did not end")
            await pause(self._reactor, 0.01)


async def cancels(reactor: Any, folder: Path, wanted: argparse.Namespace) -> AsyncIterator[Row]:
    """From a cancelTask to the SIGTERM that a task of a worker with pulse gets."""
    for name in ("begun", "ended"):
        (folder / name).mkdir()
    broker = RabbitMQ(str(folder / "broker"))
    broker.start()
    http = HTTP(reactor)
    try:
        await broker.when_ready()
        with embedded(str(folder / "taskcluster"), broker.url) as (root_url, credentials):
            more = {**OURS, "workerType": "faults", "capacity": wanted.running, "pulse": broker.url}
            with _worker(folder, write_config(str(folder), root_url, credentials, more)):
                queue = Queue(http, root_url, lambda: credentials, reactor)
                measured = Cancels(reactor, queue, folder, wanted.running)
                yield _row(f"a cancel to SIGTERM, {wanted.running} running", await measured.measure())
                yield _row(f"{wanted.running} cancels at once to SIGTERM", await measured.measure_all(), 1000)
    finally:
        broker.remove()
        await http.close()


@contextmanager
def _worker(folder: Path, config: str) -> Iterator[None]:
    """A worker while the block runs."""
    command = [TCWORKER, "worker", "--config", config]
    with open(folder / "log", "wb") as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as worker:
        try:
            yield
        except BaseException:
            print("\n".join((folder / "log").read_text().splitlines()[-20:]), file=sys.stderr)
            raise
        finally:
            # Nobody needs to wait for its last claimWork.
            worker.kill()


def _row(what: str, milliseconds: Sequence[float], limit: float = NOTICED_MS) -> Row:
    measured = statistics.quantiles(milliseconds, n=20)[-1]
    note = f"median {statistics.median(milliseconds):.0f} ms, longest {max(milliseconds):.0f} ms"
    return under(what, measured, limit, "ms", note)


def main(arguments: Sequence[str]) -> int:
    """Measure, print each row as soon as it is known, and give the status to exit with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--running", type=int, default=50, help="tasks side by side (50)")
    parser.add_argument("--hours", type=int, default=24, help="of a worker's life in simulated time (24)")
    parser.add_argument("--simulated", action="store_true", help="only what happens in simulated time")
    wanted = parser.parse_args(arguments)
    kept = wanted.simulated or _measure_cancels(wanted)
    for step in SIMULATED:
        for row in measure(step, wanted):
            print(row, flush=True)
            kept &= row.kept
    return int(not kept)


def _measure_cancels(wanted: argparse.Namespace) -> bool:
    """Print the rows; whether all limits are kept."""
    rows: list[Row] = []

    async def work(reactor: Any, folder: Path) -> None:
        async for row in cancels(reactor, folder, wanted):
            rows.append(row)
            print(row, flush=True)

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        os.chmod(folder, 0o711)
        try:
            react(lambda reactor: Deferred.fromCoroutine(work(reactor, Path(folder))))
        except SystemExit as end:
            if end.code:
                raise
    return all(row.kept for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
