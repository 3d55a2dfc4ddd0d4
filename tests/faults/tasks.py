"""Tasks of which it is known how they must end, and what they must have published then."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.definitions import shell


@dataclass(frozen=True)
class ChaosTask:
    """A task, and what is to come of it.

    @ivar resolution: of its last run.
    @ivar printed: the lines that its log must have, once each, in this order.
    @ivar artifacts: what must be there of each name; C{None}: an error artifact.
    @ivar runs_again: how the runs may have ended that it asked itself to be repeated.
    @ivar cause: what its verdict has, unless its worker died; C{None} of one that completes.
    """

    task_id: str
    payload: Mapping[str, Any]
    resolution: str = "completed"
    printed: Sequence[str] = ()
    artifacts: Mapping[str, bytes | None] = field(default_factory=dict)
    runs_again: Sequence[str] = ()
    cause: str | None = None


def slug(chance: Random) -> str:
    """Make an id as Taskcluster has them."""
    raw = bytearray(chance.randbytes(16))
    raw[0] &= 0x7F
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return base64.urlsafe_b64encode(raw)[:22].decode()


def counted(first: int, last: int) -> Sequence[str]:
    """The lines that C{seq} prints."""
    return [str(number) for number in range(first, last + 1)]


def content(last: int) -> bytes:
    """The file that C{seq} writes."""
    return "".join(f"{line}\n" for line in counted(1, last)).encode()


def _begin(journal: str) -> str:
    """Note the run: one that is noted twice was begun twice."""
    return f"echo $TASK_ID/$RUN_ID >> {journal}"


def prints(chance: Random, journal: str) -> ChaosTask:
    """One that prints."""
    last = chance.randrange(1, 3000)
    return ChaosTask(
        slug(chance), shell(_begin(journal), f"seq 1000 {1000 + last}"), printed=counted(1000, 1000 + last)
    )


def publishes(chance: Random, journal: str) -> ChaosTask:
    """One with a file and a folder."""
    lasts = [chance.randrange(1, 60_000) for _ in range(3)]
    script = f"mkdir d; seq {lasts[0]} > f.txt; seq {lasts[1]} > d/one.bin; seq {lasts[2]} > d/two.txt; echo written"
    wanted = [
        {"type": "file", "path": "f.txt", "name": "public/f.txt"},
        {"type": "directory", "path": "d", "name": "public/d"},
    ]
    artifacts = dict(zip(("public/f.txt", "public/d/one.bin", "public/d/two.txt"), map(content, lasts), strict=True))
    payload = shell(_begin(journal), script, artifacts=wanted)
    return ChaosTask(slug(chance), payload, printed=["written"], artifacts=artifacts)


def fails(chance: Random, journal: str) -> ChaosTask:
    """One that ends with an error and publishes what it has."""
    wanted = [{"type": "file", "path": "f.txt", "name": "public/f.txt"}]
    payload = shell(_begin(journal), "seq 50 > f.txt; echo failing; exit 3", artifacts=wanted)
    return ChaosTask(slug(chance), payload, "failed", ["failing"], {"public/f.txt": content(50)}, cause="exit-status")


def lacks_a_file(chance: Random, journal: str) -> ChaosTask:
    """One whose artifact is not there."""
    wanted = [{"type": "file", "path": "not-there", "name": "public/not-there"}]
    payload = shell(_begin(journal), artifacts=wanted)
    return ChaosTask(slug(chance), payload, "failed", [], {"public/not-there": None}, cause="artifact-missing")


def is_malformed(chance: Random, journal: str) -> ChaosTask:
    """One that cannot be run."""
    payload = {"command": "no list", "maxRunTime": 60}
    return ChaosTask(slug(chance), payload, "exception/malformed-payload", cause="malformed-payload")


def asks_for_another_run(chance: Random, journal: str) -> ChaosTask:
    """One whose first runs ask to be repeated."""
    script = "[ $RUN_ID -ge 2 ] && echo enough || exit 9"
    payload = shell(_begin(journal), script, onExitStatus={"retry": [9]})
    again = ["intermittent-task"]
    return ChaosTask(slug(chance), payload, printed=["enough"], runs_again=again, cause="exit-status")


def outlives_its_claim(chance: Random, journal: str) -> ChaosTask:
    """One that lasts longer than its claim would."""
    script = f": {journal}; for i in $(seq 1 15); do echo at work $i; sleep 1; done"
    printed = [f"at work {number}" for number in range(1, 16)]
    return ChaosTask(slug(chance), shell(_begin(journal), script), printed=printed)


Kind = Callable[[Random, str], ChaosTask]

KINDS: Sequence[Kind] = (prints, publishes, fails, lacks_a_file, is_malformed, asks_for_another_run)
WEIGHTS = (40, 35, 10, 5, 5, 5)


def tasks(seed: object, number: int, journal: str, *, long: int) -> Sequence[ChaosTask]:
    """Make so many tasks, the same ones for each seed.

    @param journal: a file in which each run notes that it has begun; it is in the command line of all that lasts.
    @param long: how many of them outlive their claims.
    """
    chance = Random(f"tasks of {seed}")
    lasting = [outlives_its_claim(chance, journal) for _ in range(long)]
    return [*lasting, *(kind(chance, journal) for kind in chance.choices(KINDS, WEIGHTS, k=number - long))]
