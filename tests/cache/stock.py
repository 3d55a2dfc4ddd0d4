"""Things that are kept, on disks that are none."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed

from tcworker.cache.rows import EXCLUSIVE, Row, Thrown
from tcworker.watch.disks import MEGABYTE, Disk

NOW = 1_800_000_000.0


def thing(
    id: int, name: str, *, megabytes: int = 10, age: float = 3600.0, seconds: float = 1.0, path: str = "/disk/caches/x"
) -> Row:
    """Something that is kept, and that nobody has used for so many seconds."""
    size, used = megabytes * MEGABYTE, NOW - age
    return Row(id, EXCLUSIVE, "fake", name, used, used, {"path": path}, size, seconds)


class Disks:
    """Disks of 1000 MiB each, by the first part of the paths on them."""

    def __init__(self, **free: int) -> None:
        self.free = {f"/{name}": megabytes for name, megabytes in free.items()}
        self.files = dict.fromkeys(self.free, (0, 0))
        self.looks = 0

    def of(self, path: str) -> Disk:
        self.looks += 1
        root = f"/{path.split('/')[1]}"
        if root not in self.free:
            raise FileNotFoundError(2, "No such file or directory")
        return Disk(hash(root), 1000 * MEGABYTE, self.free[root] * MEGABYTE, *self.files[root])


class FakeStock:
    """Frees room on disks.

    @ivar in_use: the ids of what nobody may throw away.
    @ivar stuck: of what cannot be, C{taken} of what somebody takes in the last moment.
    @ivar saved: the part of its bytes that is free when something is gone.
    @ivar going: if set, what is thrown away goes when it fires.
    """

    def __init__(self, disks: Disks, *things: Row) -> None:
        self.disks = disks
        self.things = list(things)
        self.in_use: set[int] = set()
        self.stuck: set[int] = set()
        self.taken: set[int] = set()
        self.saved = 1.0
        self.going: Deferred[None] | None = None
        self.removing: Deferred[None] = succeed(None)
        self.asked: list[str] = []

    @property
    def total(self) -> int:
        return sum(thing.size for thing in self.things)

    @property
    def names(self) -> str:
        return "".join(thing.name for thing in self.things)

    def idle(self) -> Deferred[Sequence[Row]]:
        return succeed([thing for thing in self.things if thing.id not in self.in_use])

    def settled(self) -> Deferred[None]:
        return self.removing

    def throw_away(self, rows: Sequence[Row]) -> Deferred[Thrown]:
        self.asked.append("".join(row.name for row in rows))
        going, self.going = self.going or succeed(None), None
        return going.addCallback(lambda _: self._thrown(rows))

    def _thrown(self, rows: Sequence[Row]) -> Thrown:
        gone = [row for row in rows if row.id not in self.stuck | self.taken]
        for row in gone:
            self.things = [thing for thing in self.things if thing.id != row.id]
            root = f"/{(row.path or '/disk/x').split('/')[1]}"
            self.disks.free[root] += int(row.size * self.saved) // MEGABYTE
        return Thrown(gone, [(row, "it is immutable") for row in rows if row.id in self.stuck])
