"""How many tasks a minute a worker does, what a task waits for, and what the worker takes for it.

C{docs/benchmarks.md} says how to read what it prints.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import slugid
from deployment import embedded
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import react
from watched import MEGABYTE, WatchedProcess

from tcworker.client.http import HTTP
from tcworker.client.services import Queue
from tcworker.interfaces import JSON, Credentials
from tcworker.task.claim import read_date, write_date
from tcworker.waiting import pause

TCWORKER = "{python} -m tcworker worker --config {config}"
NULL = "{python} {bench}/null_worker.py {config}"
LINE = "all work and no play makes a log a long one 0123456789 abcdefghijklmnopqrstuvwxyz"
PROVISIONER_ID = "bench"
OURS: Mapping[str, JSON] = {"taskUsers": False, "enableMetadata": False}
"""For tcworker alone: the same users whoever measures, for root's tasks would have others; no file in his folder."""
KINDS = ("true", "sleep", "log", "artifact", "files", "holes")


@dataclass(frozen=True)
class Done:
    """One task that is over; seconds since 1970, by the queue's clock."""

    started: float
    resolved: float
    state: str


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS, help="what each task does")
    parser.add_argument("-n", type=int, default=100, help="how many tasks (100)")
    parser.add_argument("--megabytes", type=int, default=10, help="of log, artifact or holes (10)")
    parser.add_argument("--files", type=int, default=100, help="how many files of 1 KB (100)")
    parser.add_argument("--seconds", type=float, default=1, help="of sleep (1)")
    parser.add_argument("--capacity", type=int, default=1, help="how many tasks side by side (1)")
    parser.add_argument(
        "--embedded", action="store_true", help="against an embedded Taskcluster, instead of the one in TASKCLUSTER_*"
    )
    parser.add_argument("--worker", metavar="COMMAND", default=TCWORKER, help=f"how to start the worker ({TCWORKER})")
    parser.add_argument(
        "--null", action="store_const", dest="worker", const=NULL, help="run nothing: only the calls nobody can avoid"
    )
    parser.add_argument(
        "--setting", action="append", default=[], metavar="KEY=JSON", help="one more line of the worker's configuration"
    )
    return parser.parse_args(arguments)


def payload(wanted: argparse.Namespace) -> JSON:
    """What one task is to do, in generic-worker's words."""
    size = wanted.megabytes * MEGABYTE
    commands = {
        "true": ["true"],
        "sleep": ["sleep", f"{wanted.seconds:g}"],
        "log": ["sh", "-c", f"yes '{LINE}' | head -c {size}"],
        "artifact": ["sh", "-c", f"head -c {size} /dev/urandom > file.zip"],
        "files": ["sh", "-c", f"mkdir files; head -c {wanted.files}K /dev/urandom | split -b 1K -a 6 -d - files/"],
        "holes": ["truncate", "-s", f"{size}", "file"],
    }
    artifacts = {
        "artifact": {"name": "public/file.zip", "path": "file.zip", "type": "file", "contentType": "application/zip"},
        "files": {"name": "public/files", "path": "files", "type": "directory"},
        "holes": {"name": "public/file", "path": "file", "type": "file"},
    }
    published = [artifacts[wanted.kind]] if wanted.kind in artifacts else []
    return {"command": [commands[wanted.kind]], "maxRunTime": 3600, "artifacts": published}


class Bench:
    """One measurement, on a task queue that nobody else uses."""

    def __init__(self, reactor: Any, http: HTTP, root_url: str, credentials: Credentials, wanted: Any) -> None:
        self._reactor = reactor
        self._root_url = root_url
        self._credentials = credentials
        self._wanted = wanted
        self._worker_type = f"bench-{slugid.nice().lower().replace('_', '-').strip('-')[:12]}x"
        self._queue = Queue(http, root_url, lambda: credentials, reactor)

    async def run(self, folder: str) -> None:
        """Create the tasks, let a worker do them, and print what came of it."""
        task_ids = await self._create_tasks()
        config = self._write_config(folder)
        places = {"config": config, "python": sys.executable, "bench": str(Path(__file__).parent), "folder": folder}
        worker = WatchedProcess(self._wanted.worker, places)
        try:
            await self._wait_for(task_ids, worker)
        finally:
            worker.end(5.0)
        report([await self._done(task_id) for task_id in task_ids], worker)
        if self._wanted.worker == TCWORKER:
            print(f"users            {users(more_settings(self._wanted))}")

    async def _create_tasks(self) -> Sequence[str]:
        task_ids = [slugid.nice() for _ in range(self._wanted.n)]
        definition = self._definition()
        remaining = iter(task_ids)

        async def create() -> None:
            for task_id in remaining:
                await self._queue.create_task(task_id, definition)

        results = await DeferredList([Deferred.fromCoroutine(create()) for _ in range(8)], fireOnOneErrback=True)
        assert all(fine for fine, _ in results)
        return task_ids

    def _definition(self) -> JSON:
        now = datetime.now(UTC)
        return {
            "taskQueueId": f"{PROVISIONER_ID}/{self._worker_type}",
            "taskGroupId": slugid.nice(),
            "created": write_date(now),
            "deadline": write_date(now + timedelta(hours=6)),
            "expires": write_date(now + timedelta(days=1)),
            "payload": payload(self._wanted),
            "metadata": {
                "name": f"bench {self._wanted.kind}",
                "description": "Part of a measurement; of no use to anybody.",
                "owner": "nobody@example.com",
                "source": "https://example.com/bench",
            },
        }

    def _write_config(self, folder: str) -> str:
        wanted = self._wanted
        more = {"capacity": wanted.capacity, "numberOfTasksToRun": wanted.n, **more_settings(wanted)}
        return write_config(folder, self._root_url, self._credentials, {"workerType": self._worker_type, **more})

    async def _wait_for(self, task_ids: Sequence[str], worker: WatchedProcess) -> None:
        """Wait for one task after the other, so that a long queue costs the server no more than a short one."""
        for task_id in task_ids:
            while (await self._status(task_id))["state"] in ("pending", "running"):
                if not worker.look():
                    raise SystemExit(f"the worker ended too early, with exit status {worker.exit_status}")
                await pause(self._reactor, 0.1)

    async def _done(self, task_id: str) -> Done:
        run = (await self._status(task_id))["runs"][-1]
        return Done(read_date(run["started"]).timestamp(), read_date(run["resolved"]).timestamp(), run["state"])

    async def _status(self, task_id: str) -> JSON:
        return (await self._queue.status(task_id))["status"]


def more_settings(wanted: argparse.Namespace) -> Mapping[str, JSON]:
    """What the command line adds to a worker's configuration."""
    ours = OURS if wanted.worker == TCWORKER else {}
    return {**ours, **dict(map(_setting, wanted.setting))}


def users(settings: Mapping[str, JSON]) -> str:
    """Whom tasks run as, in words."""
    if settings["taskUsers"]:
        return "one for each task"
    return str(settings.get("taskUser", "the worker's own"))


def write_config(folder: str, root_url: str, credentials: Credentials, more: Mapping[str, JSON]) -> str:
    """Write a worker's settings to a file, with those of C{more} last; gives its path."""
    settings = {
        "rootURL": root_url,
        "clientId": credentials.client_id,
        "accessToken": credentials.access_token,
        **({"certificate": credentials.certificate} if credentials.certificate else {}),
        "provisionerId": PROVISIONER_ID,
        "workerGroup": "bench",
        "workerId": "bench",
        "tasksDir": f"{folder}/tasks",
        "stateDir": f"{folder}/state",
        # It would be written to wherever somebody measures.
        "enableMetadata": False,
        **more,
    }
    path = Path(folder, "worker.json")
    path.touch(0o600)
    path.write_text(json.dumps(settings, indent=2))
    return str(path)


def report(done: Sequence[Done], worker: WatchedProcess) -> None:
    """Print the figures."""
    elapsed = max(task.resolved for task in done) - min(task.started for task in done)
    durations = sorted(task.resolved - task.started for task in done)
    percentile = statistics.quantiles(durations, n=20)[-1] if len(durations) > 1 else durations[0]
    failed = sum(task.state != "completed" for task in done)
    assert worker.cpu is not None
    print(f"tasks            {len(done)}, of which {failed} did not complete")
    print(f"tasks a minute   {60 * len(done) / max(elapsed, 0.001):.0f}")
    print(f"median           {statistics.median(durations):.3f} s from started to resolved")
    print(f"95th percentile  {percentile:.3f} s")
    print(f"CPU              {worker.cpu:.2f} s, {1000 * worker.cpu / len(done):.1f} ms a task, tasks included")
    print(
        f"peak memory      {worker.peak / MEGABYTE:.0f} MB, {worker.peak_with_helpers / MEGABYTE:.0f} MB with helpers"
    )
    if failed:
        raise SystemExit(1)


@contextmanager
def deployment(wanted: argparse.Namespace, folder: str) -> Iterator[tuple[str, Credentials]]:
    """The Taskcluster to measure against."""
    if wanted.embedded:
        with embedded(f"{folder}/taskcluster") as found:
            yield found
    else:
        yield from_environment(os.environ)


def from_environment(environ: Mapping[str, str]) -> tuple[str, Credentials]:
    """Read C{TASKCLUSTER_*}."""
    try:
        credentials = Credentials(
            environ["TASKCLUSTER_CLIENT_ID"],
            environ["TASKCLUSTER_ACCESS_TOKEN"],
            environ.get("TASKCLUSTER_CERTIFICATE") or None,
        )
        return environ["TASKCLUSTER_ROOT_URL"], credentials
    except KeyError as error:
        raise SystemExit(f"{error.args[0]} is not set; set it, or use --embedded") from None


def _setting(text: str) -> tuple[str, JSON]:
    key, _, value = text.partition("=")
    return key, json.loads(value)


async def main(reactor: Any, arguments: Sequence[str]) -> None:
    """Measure as the command line says."""
    wanted = options(arguments)
    http = HTTP(reactor, environ=os.environ)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            deployment(wanted, folder) as (root_url, credentials),
        ):
            # Users of tasks pass through it.
            os.chmod(folder, 0o711)
            await Bench(reactor, http, root_url, credentials, wanted).run(folder)
    finally:
        await http.close()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, sys.argv[1:])))
