"""Random tasks that mount things, and see for themselves that these are as they must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from tcworker.interfaces import JSON
from tests.definitions import shell
from tests.storm.contents import MANIFEST, Archive

_Kind: TypeAlias = Callable[[str], tuple[JSON, str]]
"""Gives a mount for a place, and what looks at it there."""

CACHES = ("checkouts", "compiler", "pip", "tooltool")

MOST = 5
"""Mounts of one task."""

BROKEN = "what was mounted is not whole"

_BEGINNING = f"set -e; broken() {{ echo {BROKEN}; exit 9; }}"

_WHOLE = f"(cd {{place}} && sha256sum --quiet -c {MANIFEST}) || broken"

_USE = """(
cd {place} || broken
if [ -e made ]; then sha256sum --quiet -c made || broken; fi
rm -f made
head -c {bytes} /dev/urandom > data
echo x >> uses
sha256sum data uses > making && mv making made
)"""
"""What a cache has been left with by whoever had it before must be whole."""


@dataclass(frozen=True)
class MountingTask:
    """A task.

    @ivar mounts: as in its payload.
    @ivar caches: that it writes to.
    """

    mounts: Sequence[JSON]
    scripts: Sequence[str]
    caches: Sequence[str]

    @property
    def payload(self) -> JSON:
        """As the queue is to have it."""
        return shell(
            "\n".join([_BEGINNING, *self.scripts]), mounts=list(self.mounts), features={"resourceMonitor": False}
        )

    @property
    def scopes(self) -> list[str]:
        """Without which it could not have its caches."""
        return [f"generic-worker:cache:{name}" for name in self.caches]


class Tasks:
    """Makes them up.

    @param url: where the archives are.
    """

    def __init__(self, source: Random, url: str, archives: Sequence[Archive]) -> None:
        self._source = source
        self._url = url
        self._archives = archives
        self._kinds: Sequence[Callable[[str], tuple[JSON, str]]] = (
            self._file,
            self._directory,
            self._cache,
            self._cache,
        )

    def with_mounts(self, number: int) -> list[MountingTask]:
        """Make up tasks that have so many mounts together."""
        tasks = []
        while number > 0:
            some = min(number, self._source.randint(1, MOST))
            tasks.append(self._task(some))
            number -= some
        return tasks

    def _task(self, number: int) -> MountingTask:
        made = [self._source.choice(self._kinds)(f"mount{index}") for index in range(number)]
        mounts = [mount for mount, _ in made]
        caches = [mount["cacheName"] for mount in mounts if "cacheName" in mount]
        return MountingTask(mounts, [script for _, script in made], list(dict.fromkeys(caches)))

    def _file(self, place: str) -> tuple[JSON, str]:
        archive = self._source.choice(self._archives)
        script = f"echo '{archive.sha256}  {place}' | sha256sum --quiet -c || broken; echo more >> {place}"
        return {"file": place, "content": self._content(archive)}, script

    def _directory(self, place: str) -> tuple[JSON, str]:
        archive = self._source.choice(self._archives)
        mount = {"directory": place, "content": self._content(archive), "format": archive.format}
        # Nobody else sees what becomes of it.
        spoil = f"[ ! -e {place}/spoilt ] || broken; echo spoilt > {place}/spoilt; rm -rf {place}/folder0"
        return mount, f"{_WHOLE.format(place=place)}; {spoil}"

    def _cache(self, place: str) -> tuple[JSON, str]:
        mount: dict[str, JSON] = {"directory": place, "cacheName": self._source.choice(CACHES)}
        use = _USE.format(place=place, bytes=self._source.randrange(1_500_000))
        if self._source.random() < 0.5:
            return mount, use
        archive = self._archives[CACHES.index(mount["cacheName"])]
        return {**mount, "content": self._content(archive), "format": archive.format}, use

    def _content(self, archive: Archive) -> JSON:
        return {"url": f"{self._url}/{archive.name}", "sha256": archive.sha256}
