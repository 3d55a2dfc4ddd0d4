"""What mounts and caches cost: measured, and printed beside its limit. Linux only.

The exit status is 1 if a limit is missed. C{docs/benchmarks.md} says how each figure is counted.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import slugid
from archives import make_archive, serving
from bounded import memory
from calls import Caller, calling, definition
from deployment import embedded
from limits import MEMORY, TCWORKER, Row, Step, measure, under
from many_caches import collect
from throughput import PROVISIONER_ID, write_config
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from watched import MEGABYTE, WatchedProcess, family

from tcworker.interfaces import JSON
from tcworker.task.claim import read_date

POOL = f"{PROVISIONER_ID}/caches"
WORKER = "sh -c 'exec {tcworker} worker --config {config} 2> {log}'"
ALONE = "curl -sS {url} | zstd -dc | tar -x -C {folder}"
LARGE, SMALL = (1000, 1_000_000), (100_000, 10_000)
"""Archives: files, and bytes of each."""

LARGE_LIMIT, SMALL_LIMIT = 1.3, 1.5
GROWTH = 1.1
WARM_MS, READ_ONLY_MS = 50.0, 100.0
SIDE_BY_SIDE, TENTH = 20, 1.1
SLOWEST = 3.0
"""Seconds that the slowest of those side by side takes to come."""

LOG = "public/logs/live_backing.log"

MANY = 10_000

PATIENCE = 300.0


class Took(NamedTuple):
    """Seconds of a task: from its claim to its command, and to its end."""

    to_start: float
    in_all: float


class Measured:
    """A worker whose tasks have mounts, and who gives it some.

    @ivar together: MB, the most that was seen of the worker and its helpers; what they share counts once.
    """

    def __init__(self, root_url: str, caller: Caller, worker: WatchedProcess, pause: float) -> None:
        self._root_url, self._caller, self._pause = root_url, caller, pause
        self.worker = worker
        self.together = 0.0

    def run(self, *mounts: JSON) -> Took:
        """Have a task with these mounts run. Raises L{OSError} if it is not completed."""
        task_id = slugid.nice()
        task = definition(POOL)
        task["payload"] = {"command": [["date", "+begun %s.%N"]], "maxRunTime": 600, "mounts": list(mounts)}
        task["scopes"] = ["generic-worker:cache:*"]
        self._caller.call("PUT", f"/task/{task_id}", task)
        run = self._until_resolved(task_id)
        if run["state"] != "completed":
            raise OSError(f"a task of the measurement was {run['reasonResolved']}")
        started = read_date(run["started"]).timestamp()
        return Took(self._begun(task_id) - started, read_date(run["resolved"]).timestamp() - started)

    def median(self, times: int, mounts: Callable[[], Sequence[JSON]]) -> float:
        """Seconds that mounts take a task, in the median: beyond those that another one takes to start.

        @param mounts: makes those of the next one.
        """
        took, plain = [], []
        for _ in range(times):
            # What the one before leaves to be done, such as measuring its caches, is none of the next one's.
            time.sleep(self._pause)
            plain.append(self.run().to_start)
            time.sleep(self._pause)
            took.append(self.run(*mounts()).to_start)
        return statistics.median(took) - statistics.median(plain)

    def _begun(self, task_id: str) -> float:
        """When its command ran, as it says in its log."""
        with urlopen(f"{self._root_url}/api/queue/v1/task/{task_id}/artifacts/{LOG}") as log:
            found = re.search(rb"^begun ([\d.]+)$", gzip.decompress(log.read()), re.MULTILINE)
        assert found is not None
        return float(found[1])

    def _look(self) -> None:
        # One may end meanwhile; there are many looks.
        with suppress(OSError):
            # Not their RSS, which counts all of the worker twice while it starts something.
            self.together = max(self.together, memory(family(self.worker.pid), "Pss"))

    def _until_resolved(self, task_id: str) -> JSON:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.worker.look():
            run = self._caller.call("GET", f"/task/{task_id}/status")["status"].get("runs", [{}])[-1]
            if run.get("state") not in (None, "pending", "running"):
                return run
            self._look()
            time.sleep(0.02)
        raise OSError("the worker has ended, or a task does not")


@contextmanager
def measured(folder: Path, wanted: argparse.Namespace) -> Iterator[Measured]:
    """A worker at an embedded Taskcluster, while the block runs."""
    with ExitStack() as ended, embedded(str(folder / "taskcluster")) as found, calling(*found) as (caller,):
        config = write_config(str(folder), *found, {"workerType": "caches"})
        worker = WatchedProcess(WORKER, {"tcworker": TCWORKER, "config": config, "log": str(folder / "log")})
        # After the Taskcluster, whose answer to its last claimWork it would wait for.
        ended.callback(worker.end, 0.0)
        yield Measured(found[0], caller, worker, wanted.pause)


def mounted(url: str, **how: str) -> JSON:
    """A mount of an archive."""
    return {"content": {"url": url}, "format": "tar.zst", **how}


def new_cache(url: str) -> JSON:
    """A mount that nobody had before."""
    return mounted(url, cacheName=slugid.nice(), directory="data")


def cold(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """Archives that are fetched and unpacked, against programs that do nothing else."""
    (archives := folder / "archives").mkdir()
    with serving(archives) as address, measured(folder, wanted) as tasks:
        yield from _memory(tasks, archives, address, wanted)
        for what, shape, limit in (("files of 1 MB", LARGE, LARGE_LIMIT), ("files of 10 KB", SMALL, SMALL_LIMIT)):
            files = shape[0] // wanted.part
            make_archive(archives / "archive", files, shape[1])
            ours, alone = _compare(tasks, f"{address}/archive", folder, wanted.rounds)
            note = f"{ours:.2f} s; {alone:.2f} s with curl, zstd and tar"
            yield under(f"{files} {what}, mounted cold", ours / alone, limit, "times", note)


def _compare(tasks: Measured, url: str, folder: Path, rounds: int) -> tuple[float, float]:
    """Seconds that a task waits for an archive, and that programs take for it, in turns; the medians."""
    ours, alone = [], []
    for number in range(rounds):
        alone.append(_by_programs(url, folder / f"alone-{number}"))
        # What is still to be written to the disk is nobody's fault.
        os.sync()
        ours.append(tasks.median(1, lambda: [new_cache(url)]))
        os.sync()
    # Not before: a disk has to do with what was removed for some time.
    subprocess.run(["rm", "-rf", *(str(folder / f"alone-{number}") for number in range(rounds))], check=True)
    return statistics.median(ours), statistics.median(alone)


def _by_programs(url: str, place: Path) -> float:
    place.mkdir()
    script = ALONE.format(url=shlex.quote(url), folder=shlex.quote(str(place)))
    begun = time.monotonic()
    subprocess.run(["bash", "-o", "pipefail", "-c", script], check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - begun


def _memory(tasks: Measured, archives: Path, address: str, wanted: argparse.Namespace) -> Iterator[Row]:
    """What the worker and its helpers have in memory while they mount much, against a tenth of it."""
    peaks = []
    for part in (10, 1):
        make_archive(archives / "archive", max(1, LARGE[0] // part // wanted.part), LARGE[1])
        for _ in range(2):
            tasks.run(new_cache(f"{address}/archive"))
        peaks.append((tasks.worker.peak, tasks.together))
    (own, together), (own_then, together_then) = peaks
    yield under("worker's memory meanwhile", own_then / MEGABYTE, MEMORY, "MB", f"{own / MEGABYTE:.1f} MB for a tenth")
    yield under("the same, of that for a tenth", own_then / own, GROWTH, "times")
    note = f"{together_then:.0f} MB"
    yield under("the same with all helpers", together_then / together, GROWTH, "times", note)


def warm(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """What is there already, however much it is."""
    (archives := folder / "archives").mkdir()
    files = SMALL[0] // wanted.part
    make_archive(archives / "archive", files, SMALL[1])
    with serving(archives) as address, measured(folder, wanted) as tasks:
        url = f"{address}/archive"
        cache = mounted(url, cacheName="bench", directory="data")
        first = tasks.run(cache).to_start
        took = 1000 * tasks.median(wanted.tasks, lambda: [cache])
        yield under(f"{files} files, warm as a cache", took, WARM_MS, "ms", f"{first:.1f} s the first time")
        read_only = mounted(url, directory="data")
        first = tasks.run(read_only).to_start
        took = 1000 * tasks.median(wanted.tasks, lambda: [read_only])
        yield under(f"{files} files, as a folder, again", took, READ_ONLY_MS, "ms", f"{first:.1f} s the first time")


def side_by_side(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """Many mounts, each of which takes its time to come, against the slowest of them."""
    (archives := folder / "archives").mkdir()
    make_archive(archives / "archive", 10, LARGE[1])
    with serving(archives) as address, measured(folder, wanted) as tasks:
        slowest = tasks.median(wanted.rounds, lambda: _slow(address, [SLOWEST]))
        seconds = [SLOWEST * (number + 1) / SIDE_BY_SIDE for number in range(SIDE_BY_SIDE)]
        all_of_them = tasks.median(wanted.rounds, lambda: _slow(address, seconds))
        note = f"{all_of_them:.2f} s; the slowest alone {slowest:.2f} s"
        yield under(f"{SIDE_BY_SIDE} mounts of 10 MB, of the slowest", all_of_them / slowest, TENTH, "times", note)


def _slow(address: str, seconds: Sequence[float]) -> Sequence[JSON]:
    return [
        mounted(f"{address}/slow/{each}/archive", cacheName=slugid.nice(), directory=f"data-{number}")
        for number, each in enumerate(seconds)
    ]


def collector(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """Very many caches, of which half must go."""
    rows: list[Row] = []

    async def work(reactor: Any) -> None:
        rows.extend(await collect(reactor, folder, MANY // wanted.part))

    with suppress(SystemExit):
        react(lambda reactor: Deferred.fromCoroutine(work(reactor)))
    yield from rows


STEPS = [
    Step("cold", cold, 1200),
    Step("warm", warm, 600),
    Step("side", side_by_side, 300),
    Step("collector", collector, 300),
]


def main(arguments: Sequence[str]) -> int:
    """Measure, print each row as soon as it is known, and give the status to exit with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [step.name for step in STEPS]
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"one of {', '.join(names)}; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="of what takes long; the median counts (3)")
    parser.add_argument("--tasks", type=int, default=15, help="with what is there already; the median counts (15)")
    parser.add_argument("--part", type=int, default=1, help="archives with this part of their files, or caches (1)")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two tasks (1)")
    wanted = parser.parse_args(arguments)
    if unknown := set(wanted.steps) - set(names):
        parser.error(f"no step: {', '.join(sorted(unknown))}")
    kept = True
    for step in STEPS:
        if step.name in (wanted.steps or [step.name]):
            for row in measure(step, wanted):
                print(row, flush=True)
                kept &= row.kept
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
