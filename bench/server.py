"""The limits of speed and memory of the Taskcluster inside: measured, and printed beside them. Linux only.

The exit status is 1 if one is missed. The calls go over loopback, one connection a caller, and are timed by the caller,
who signs before the time begins.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import slugid
from bounded import memory
from calls import Caller, calling, definition
from deployment import embedded
from limits import Row, Step, measure, under
from watched import family

from tcworker.embedded import dates
from tcworker.embedded.database_file import connect
from tcworker.embedded.folder import DATABASE
from tcworker.embedded.queue import states
from tcworker.embedded.queue.definition import DEFINITION, complete, new_task
from tcworker.embedded.queue.store import Entry, Store
from tcworker.embedded.schemas import Checker
from tcworker.embedded.services import SCHEMA
from tcworker.interfaces import JSON

CLAIM_MS, HANDOVER_MS, MEMORY, FACTOR = 5.0, 20.0, 150.0, 2.0
QUEUE, OTHER_QUEUE = "bench/measured", "bench/other"
CLAIM_WORK = f"/claim-work/{QUEUE}"
WORKER = {"workerGroup": "bench", "workerId": "bench", "tasks": 1}


@dataclass(frozen=True)
class Spread:
    """Milliseconds of one kind of call.

    @ivar slow: the 95th percentile of a round, in the median of the rounds: a round in which the machine had something
        else to do does not count.
    """

    median: float
    slow: float


def claims(user: Caller, worker: Caller, calls: int) -> Sequence[float]:
    """A round of claimWork when a task waits."""
    for _ in range(calls):
        user.create(QUEUE)
    return [worker.timed("POST", CLAIM_WORK, WORKER) for _ in range(calls)]


def handovers(user: Caller, worker: Caller, calls: int) -> Sequence[float]:
    """A round of tasks, each from createTask to the worker who waits for it."""
    return [_hand_over(user, worker) for _ in range(calls)]


def _hand_over(user: Caller, worker: Caller) -> float:
    worker.begin("POST", CLAIM_WORK, WORKER)
    # Until the server has it, as well as one can tell from here.
    user.call("GET", "/ping")
    begun = user.begin("PUT", f"/task/{slugid.nice()}", definition(QUEUE))
    _check_claim(worker)
    took = 1000 * (time.perf_counter() - begun)
    user.end()
    return took


def _check_claim(worker: Caller) -> None:
    if not worker.end()["tasks"]:
        raise OSError("a worker was given nothing though there was a task")


def creations(user: Caller, worker: Caller, calls: int) -> Sequence[float]:
    """A round of createTask."""
    return [user.create(OTHER_QUEUE) for _ in range(calls)]


KINDS = {"claimWork": claims, "handover": handovers, "createTask": creations}


def speeds(folders: Sequence[Path], wanted: argparse.Namespace) -> Mapping[str, Sequence[Spread]]:
    """Each kind of call, of the servers of some folders, in turns: what else the machine does meets all alike."""
    with ExitStack() as stack:
        places = [stack.enter_context(embedded(str(folder))) for folder in folders]
        callers = [stack.enter_context(calling(*place, 2)) for place in places]
        return {name: _in_turns(kind, callers, wanted) for name, kind in KINDS.items()}


def _in_turns(
    kind: Callable[..., Sequence[float]], callers: Sequence[Sequence[Caller]], wanted: argparse.Namespace
) -> Sequence[Spread]:
    rounds = [[kind(*pair, wanted.calls) for pair in callers] for _ in range(wanted.rounds)]
    return [_spread(of_one) for of_one in zip(*rounds, strict=True)]


def speed(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """The speeds of an empty server, and of one with many tasks."""
    few, many = folder / "few", folder / "many"
    fill(many, wanted.tasks)
    found = speeds([few, many], wanted)
    slow = {name: empty.slow for name, (empty, _) in found.items()}
    yield under("claimWork when a task waits, 95th percentile", slow["claimWork"], CLAIM_MS, "ms")
    yield under("createTask until a waiting worker has it, 95th", slow["handover"], HANDOVER_MS, "ms")
    for name, (empty, full) in found.items():
        note = f"median {full.median:.2f} ms, {empty.median:.2f} ms without them"
        yield under(f"{name} with {wanted.tasks} tasks", full.median / empty.median, FACTOR, "times", note)


def creation(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """createTask a second, and where the time goes; there is no limit for it."""
    parts = parts_of_creation(folder, wanted.rounds * wanted.calls)
    whole = sum(parts.values())
    yield Row("createTask a second, one caller", f"{1000 / whole:.0f}", "", True, f"{whole:.2f} ms each")
    for name, took in parts.items():
        yield Row(f"  of which {name}", f"{took:.2f} ms", "", True)


def parts_of_creation(folder: Path, calls: int) -> Mapping[str, float]:
    """Median milliseconds of what is in a createTask."""

    def median(measure: Callable[[], float]) -> float:
        return statistics.median(measure() for _ in range(calls))

    body, task_id, checker = definition(OTHER_QUEUE), str(slugid.nice()), Checker(DEFINITION)
    with embedded(str(folder)) as place, calling(*place) as (user,):
        user.call("PUT", f"/task/{task_id}", body)
        http = median(lambda: user.timed("GET", "/ping"))
        reading = median(lambda: user.timed("GET", f"/task/{task_id}/status"))
        whole = median(lambda: user.create(OTHER_QUEUE))
    schema = median(lambda: _timed(lambda: complete(task_id, checker.check(body))))
    return {
        "HTTP, as for a ping": http,
        "signature, and a thread that reads": reading - http,
        "schema": schema,
        "transaction and what follows": whole - reading - schema,
    }


def waiting(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """Memory of a server in which workers wait."""
    with embedded(str(folder)) as place, calling(*place, wanted.workers + 1) as (user, *workers):
        server = family(os.getpid())[1:]
        before = memory(server, "Pss")
        for number, worker in enumerate(workers):
            worker.begin("POST", CLAIM_WORK, {**WORKER, "workerId": f"w{number}"})
        user.call("GET", "/ping")
        note = f"of the whole server; {before:.1f} MB before they came"
        yield under(f"{wanted.workers} workers in claimWork, memory", memory(server, "Pss"), MEMORY, "MB", note)
        # Each gets a task: nobody had been turned away.
        for worker in workers:
            user.create(QUEUE)
            _check_claim(worker)


def fill(folder: Path, tasks: int) -> None:
    """Make the database of a server that has had many tasks: half of them are over, the others wait."""
    folder.mkdir(mode=0o700)
    with closing(connect(str(folder / DATABASE), SCHEMA)) as connection:
        connection.execute("BEGIN")
        store, now = Store(connection), int(time.time() * 1000)
        body = Checker(DEFINITION).check(definition(OTHER_QUEUE))
        for number in range(tasks):
            _add(store, str(slugid.nice()), body, number, now)
        connection.execute("COMMIT")


def _add(store: Store, task_id: str, body: JSON, number: int, now: int) -> None:
    task = new_task(task_id, given := complete(task_id, body))
    store.add_task(task, given)
    store.groups.join(task.group_id, task.scheduler_id, task.expires)
    store.put_on_agenda(Entry(task.deadline + dates.MINUTE, "deadline", task_id))
    pending = states.schedule(task, now)
    store.change_task(task, pending)
    if number % 2:
        running = states.claim(pending, 0, "g", "w", now, now + dates.MINUTE)
        store.change_task(pending, running)
        store.change_task(running, states.report(running, 0, "completed", now))


STEPS = [Step("speed", speed, 300), Step("creation", creation, 120), Step("waiting", waiting, 60)]


def _spread(rounds: Sequence[Sequence[float]]) -> Spread:
    slow = [sorted(taken)[len(taken) * 95 // 100] for taken in rounds]
    return Spread(statistics.median(took for taken in rounds for took in taken), statistics.median(slow))


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def _command_line(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000, help="of a database that has many (100000)")
    parser.add_argument("--rounds", type=int, default=7, help="of calls; the median counts (7)")
    parser.add_argument("--calls", type=int, default=100, help="of each kind in a round (100)")
    parser.add_argument("--workers", type=int, default=200, help="who wait in claimWork (200)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure, print each row as soon as it is known, and give the status to exit with."""
    wanted = _command_line(arguments)
    missed = False
    for step in STEPS:
        for row in measure(step, wanted):
            print(row, flush=True)
            missed |= not row.kept
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
