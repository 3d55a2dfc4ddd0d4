"""Each limit that tcworker has for speed and memory: measured, and printed beside it. Linux only.

The exit status is 1 if one is missed. C{docs/benchmarks.md} says how each figure is counted.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bounded import bounded, cpu_seconds, memory, output
from deployment import embedded
from throughput import options, payload, write_config
from watched import family

from tcworker.interfaces import Credentials
from tcworker.task.compression import new_gzip

TCWORKER = str(Path(sys.executable).with_name("tcworker"))
THROUGHPUT = str(Path(__file__).with_name("throughput.py"))
TRUE_TASK = '{"command": [["true"]], "maxRunTime": 60}'
ANYBODY = Credentials("anybody", "x" * 44)
TRIES = 5
CALL_SECONDS = 10.0
NULL = "null"
PIECE = 256 * 1024
MEMORY = 150.0
LOG_MEGABYTES = "200"
IDLE_SECONDS = 20.0
SETTLING_SECONDS = 5.0
HELPERS = 2
"""An idle worker's processes beside its own: the launcher, and the supervisor that waits for the next task."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    limit: str
    kept: bool
    note: str = ""

    def __str__(self) -> str:
        verdict = "OK" if self.kept else "MISSED"
        return f"{self.what:<46} {self.measured:>10}   {self.limit:<12} {verdict:<6}  {self.note}".rstrip()


def under(what: str, measured: float, limit: float, unit: str, note: str = "") -> Row:
    """A figure that is to stay below its limit."""
    return Row(what, f"{measured:.2f} {unit}", f"< {limit:.3g} {unit}", measured < limit, note)


def at_least(what: str, measured: float, limit: float, unit: str, note: str = "") -> Row:
    """A figure that is to reach its limit."""
    return Row(what, f"{measured:.2f} {unit}", f">= {limit:.3g} {unit}", measured >= limit, note)


@dataclass(frozen=True)
class Step:
    """Something to measure.

    @ivar measure: given an empty folder that any user may pass through, and the command line.
    @ivar seconds: what it may take.
    """

    name: str
    measure: Callable[[Path, argparse.Namespace], Iterator[Row]]
    seconds: float


def throughput_shares(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """Tasks a minute, as a share of what the queue allows."""
    one: dict[str, Sequence[str]] = {"1 slot, worker's own user": ()}
    if os.getuid() == 0:
        # A slot is free earlier when the task cannot reach the worker's files.
        one["1 slot, taskUser nobody"] = ("--setting", 'taskUser="nobody"')
    rounds, count = wanted.rounds, ("-n", str(wanted.tasks))
    yield from _compare(folder, rounds, count, one, 75)
    yield from _compare(folder, rounds, (*count, "--capacity", "8"), {"8 slots, worker's own user": ()}, 80)


def long_log(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """A long log, against the same output printed and compressed without a worker."""
    arguments = ("log", "--megabytes", LOG_MEGABYTES)
    alone = _median(lambda: _print_and_compress(payload(options(arguments))["command"][0], folder))
    found = throughput(folder, *arguments, "-n", str(TRIES))
    yield under(f"{LOG_MEGABYTES} MB of log, time", found["median"], 2 * alone, "s", f"{alone:.2f} s without a worker")
    yield under(f"{LOG_MEGABYTES} MB of log, worker's memory", found["peak memory"], MEMORY, "MB")


def large_artifact(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """A large artifact."""
    found = throughput(folder, "artifact", "-n", "1", "--megabytes", str(wanted.megabytes))
    what = f"artifact of {wanted.megabytes} MB, worker's memory"
    yield under(what, found["peak memory"], MEMORY, "MB", f"{found['median']:.1f} s")


def idle_worker(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """A worker that waits for tasks, with its launcher and the supervisor that waits with it."""
    with embedded(f"{folder}/taskcluster") as (root_url, credentials), _worker(folder, root_url, credentials) as pid:
        while len(family(pid)) <= HELPERS:
            time.sleep(0.1)
        time.sleep(SETTLING_SECONDS)
        processes = family(pid)
        before = cpu_seconds(processes)
        time.sleep(IDLE_SECONDS)
        used = cpu_seconds(processes) - before
        yield under("idle, CPU of one core", 100 * used / IDLE_SECONDS, 1, "%", f"over {IDLE_SECONDS:g} s")
        pss, rss = (memory(processes, kind) for kind in ("Pss", "Rss"))
        yield under("idle, memory", pss, 90, "MB", f"PSS of {len(processes)} processes; their RSS is {rss:.1f} MB")


def first_claim(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """From the start of a worker's process to its first claimWork on the wire."""
    # A folder for each: a worker that finds its state there has less to do.
    folders = iter(range(TRIES))
    took = _median(lambda: _until_first_claim(folder / str(next(folders))))
    yield under("start to first claimWork", took, 1, "s")


def run_command(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """C{tcworker run}, from prompt to prompt."""
    Path(folder, "true.yml").write_text(TRUE_TASK)
    yield under("tcworker run of `true`", _median(lambda: _seconds([TCWORKER, "run", "true.yml"], folder)), 2, "s")


def help_command(folder: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    """C{tcworker --help}."""
    yield under("tcworker --help", _median(lambda: _seconds([TCWORKER, "--help"], folder)), 0.3, "s")


STEPS = [
    Step("help", help_command, 30),
    Step("start", first_claim, 60),
    Step("run", run_command, 60),
    Step("idle", idle_worker, 90),
    Step("log", long_log, 120),
    Step("artifact", large_artifact, 300),
    Step("shares", throughput_shares, 900),
]


def measure(step: Step, wanted: argparse.Namespace) -> Sequence[Row]:
    """Do one step; what goes wrong is a row too. None of its processes is there afterwards."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="limits-") as folder:
        os.chmod(folder, 0o711)
        try:
            with bounded(step.seconds):
                for row in step.measure(Path(folder), wanted):
                    rows.append(row)
        except Exception as error:
            why = " ".join(str(error).split())
            rows.append(Row(step.name, "none", "", False, f"{type(error).__name__}: {why}"))
    return rows


def throughput(folder: Path, *arguments: str) -> Mapping[str, float]:
    """What C{throughput.py} finds with an embedded Taskcluster: the first figure of each line, by the line's name."""
    printed = output([sys.executable, THROUGHPUT, *arguments, "--embedded"], folder)
    return {name: float(figure) for name, figure in re.findall(r"^(\S+(?: \S+)*) {2,}([\d.]+)", printed, re.MULTILINE)}


def _compare(
    folder: Path, rounds: int, common: Sequence[str], kinds: Mapping[str, Sequence[str]], limit: float
) -> Iterator[Row]:
    """Hold kinds of workers against the null worker, in turns: what else the machine does meets all of them alike."""
    commands = {NULL: ("--null",), **kinds}
    rates: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, more in commands.items():
            rates[name].append(throughput(folder, "true", *common, *more)["tasks a minute"])
    null = statistics.median(rates.pop(NULL))
    for name, found in rates.items():
        rate = statistics.median(found)
        yield at_least(f"{name}, share of --null", 100 * rate / null, limit, "%", f"{rate:.0f} of {null:.0f} a minute")


@contextmanager
def _worker(folder: Path, root_url: str, credentials: Credentials) -> Iterator[int]:
    """A worker while the block runs; gives its pid."""
    config = write_config(str(folder), root_url, credentials, {"workerType": "limits", "enableMetadata": False})
    with (
        open(folder / "worker.log", "wb") as printed,
        subprocess.Popen([TCWORKER, "worker", "--config", config], stdin=subprocess.DEVNULL, stderr=printed) as process,
    ):
        try:
            yield process.pid
        finally:
            process.terminate()


def _until_first_claim(folder: Path) -> float:
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(CALL_SECONDS)
        begun = time.monotonic()
        with _worker(folder, f"http://127.0.0.1:{server.getsockname()[1]}", ANYBODY), server.accept()[0] as connection:
            asked = connection.recv(1024)
            took = time.monotonic() - begun
    if b"/claim-work/" not in asked:
        raise ValueError(f"the worker's first call is no claimWork: {asked[:80]!r}")
    return took


def _print_and_compress(command: Sequence[str], folder: Path) -> float:
    """Seconds that a command's output takes into a file, and from there into one that is compressed."""
    begun = time.monotonic()
    output(["sh", "-c", f"{shlex.join(command)} > printed"], folder)
    compressor = new_gzip()
    with open(folder / "printed", "rb") as printed, open(folder / "printed.gz", "wb") as compressed:
        while piece := printed.read(PIECE):
            compressed.write(compressor.compress(piece))
        compressed.write(compressor.flush())
    return time.monotonic() - begun


def _median(measured: Callable[[], float]) -> float:
    return statistics.median(measured() for _ in range(TRIES))


def _seconds(command: Sequence[str], folder: Path) -> float:
    begun = time.monotonic()
    output(command, folder)
    return time.monotonic() - begun


def _command_line(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [step.name for step in STEPS]
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"one of {', '.join(names)}; all by default")
    parser.add_argument("--megabytes", type=int, default=2048, help="of the large artifact (2048)")
    parser.add_argument("--tasks", type=int, default=300, help="for each measurement of throughput (300)")
    parser.add_argument("--rounds", type=int, default=3, help="of measurements of throughput; the median counts (3)")
    wanted = parser.parse_args(arguments)
    if unknown := set(wanted.steps) - set(names):
        parser.error(f"no step: {', '.join(sorted(unknown))}")
    return wanted


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Measure, print each row as soon as it is known, and give the status to exit with."""
    wanted = _command_line(arguments)
    # Whoever ends this ends what it started, too.
    signal.signal(signal.SIGTERM, _stop)
    print(f"{'what':<46} {'measured':>10}   limit", flush=True)
    missed = False
    for step in STEPS:
        if step.name in (wanted.steps or [step.name]):
            for row in measure(step, wanted):
                print(row, flush=True)
                missed |= not row.kept
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
