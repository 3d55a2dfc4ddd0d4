"""Workers that are killed while their tasks have caches, and what must be true of those afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from tcworker.interfaces import JSON
from tests.definitions import shell
from tests.integration.archives import archive
from tests.integration.bad_server import BadServer, slow
from tests.integration.processes import Command
from tests.integration.test_kills import RETRIES, KillCase
from tests.surroundings import until

SCOPES = ["generic-worker:cache:*"]

FILES = 40

WHOLE = f"""
test ! -e cache/sums || (cd cache && sha256sum --quiet -c sums) || exit 11
test ! -e cache/begun || {{ echo a task that did not end had this cache; exit 7; }}
count=$(cat cache/count 2>/dev/null || echo 0)
test $(ls cache | grep -c '^f-') = $count || {{ echo files are missing; exit 8; }}
(cd tree && sha256sum --quiet -c sums && test $(ls | wc -l) = {FILES + 1}) || exit 9
test "$(cat text)" = "some text" || exit 10
"""
"""Fails when something that a task got is not what it should be."""

USE = """
touch cache/begun; echo spoilt > tree/0; touch cache/f-$((count + 1)); echo $((count + 1)) > cache/count
"""

END = "rm cache/begun"

FIRST_NEVER_ENDS = 'touch begun; test "$RUN_ID" != 0 || sleep 600'
"""So that it is cut wherever a test cuts it, and not after its end."""


class CacheKills(KillCase):
    """Each task changes a cache and a folder that others have as well, and fails if one of them is not whole.

    @ivar server: has what tasks mount; slowly, so that a worker can be killed meanwhile.
    @ivar packed: an archive of files, and of the checksums of all of them.
    """

    server: BadServer

    async def prepare(self) -> None:
        self.server = BadServer.started(self)
        files = {str(number): Random(number).randbytes(20_000) for number in range(FILES)}
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
        self.packed = archive("tar.gz", {**files, "sums": sums.encode()})
        await super().prepare()

    def tree(self, name: str, seconds: float = 0.0) -> JSON:
        """A mount of a folder, whose content takes some seconds to come."""
        url = self.server.serve(f"/{name}", slow(self.packed, len(self.packed) // 20, seconds / 20))
        content = {"url": url, "sha256": hashlib.sha256(self.packed).hexdigest()}
        return {"directory": "tree", "content": content, "format": "tar.gz"}

    async def use(self, tree: JSON, between: str = "touch begun; sleep 0.3", **content: Any) -> str:
        """Create a task that does this while it has a cache.

        @param content: of the cache's mount, if it is to be filled when it is new.
        """
        mounts = [
            {"cacheName": "c", **content, "directory": "cache"},
            tree,
            {"file": "text", "content": {"raw": "some text"}},
        ]
        artifact = {"type": "file", "path": "cache/count", "name": "public/count.txt"}
        payload = shell(f"{WHOLE}{USE}{between}\n{END}", mounts=mounts, artifacts=[artifact])
        return await self.client.create(payload, scopes=SCOPES, retries=RETRIES)

    async def die(self, worker: Command, at: Callable[[], object], whom: str = "all") -> None:
        """Kill a worker, with its helpers, as soon as something is so."""
        await until(at, 30, lambda: worker.output)
        await self.kill(worker, whom)

    async def assertCompleted(self, *tasks: str) -> None:
        for task_id in tasks:
            runs = await self.client.until_resolved(task_id)
            self.assertEqual(runs[-1]["state"], "completed", await self.explained(task_id, runs))

    async def assertCut(self, task_id: str) -> None:
        """Fail if the first run came to its end before the worker did."""
        runs = await self.client.until_resolved(task_id)
        self.assertNotEqual(runs[0]["reasonResolved"], "completed", await self.explained(task_id, runs))

    async def explained(self, task_id: str, runs: Sequence[JSON]) -> str:
        last = self.last.output if self.last is not None else ""
        return f"{runs}\n{(await self.client.outcome(task_id)).log}\n{last}"

    async def assertNextIsWhole(self, *tasks: str) -> None:
        """Let another worker do these tasks and two more, and fail if it keeps anything that nobody can use."""
        last = self.start()
        await self.assertCompleted(*tasks)
        for _ in range(2):
            await self.assertCompleted(await self.use(self.tree("again")))
        await self.assertEndsInOrder(last)
        self.assertEqual(self.odd(), [])

    def odd(self) -> list[str]:
        """What is kept and should not be, or the other way round; for when no worker runs."""
        rows = self.rows()
        known = {json.loads(row["details"])["path"] for row in rows}
        return [
            *(f"{row['name']} is in use" for row in rows if row["run"] is not None),
            *(f"{row['name']} was to go" for row in rows if row["purged"]),
            *(f"{path} is not there" for path in known - self.folders()),
            *(f"{path} is nobody's" for path in self.folders() - known),
        ]

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """What is remembered of caches."""
        with sqlite3.connect(self.path("state/state.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM caches")]

    def folders(self) -> set[str]:
        """Those of what is kept, or being made or removed."""
        places = [self.path("state/caches"), self.path("state/downloads")]
        there = (os.path.join(place, name) for place in places if os.path.isdir(place) for name in os.listdir(place))
        return {path for path in there if os.path.basename(path) != "lock"}
