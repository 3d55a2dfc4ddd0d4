"""C{tcworker caches}, with a worker in another process, and where one was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from tcworker.interfaces import ProcessStatus
from tcworker.removal import remove
from tests.definitions import shell
from tests.integration.processes import Command
from tests.integration.worker_case import WorkerCase
from tests.surroundings import until

MOUNTS = [
    {"cacheName": "c", "directory": "cache"},
    {"file": "x", "content": {"raw": "some text"}},
]


class CachesCommand(WorkerCase):
    """Each test gives a worker a task with a cache."""

    # A worker that must go awaits the claim in flight.
    times: ClassVar = {"poll": 1}

    async def mounting(self, script: str) -> str:
        return await self.client.create(shell(script, mounts=MOUNTS), scopes=["generic-worker:cache:*"])

    async def kept_by(self, worker: Command) -> None:
        """Let a task leave a cache."""
        runs = await self.client.until_resolved(await self.mounting("date > cache/file"))
        self.assertEqual(runs[-1]["state"], "completed", worker.output)

    async def caches(self, *arguments: str) -> str:
        call = self.command("caches", *arguments, "--config", self.path("worker.json"))
        self.assertEqual(await call.until_ended(), 0, call.output)
        return call.output

    async def listed(self) -> Mapping[str, Any]:
        return {cache["name"]: cache for cache in json.loads(await self.caches("list", "--json"))}

    def folders(self) -> list[str]:
        return [name for name in os.listdir(self.path("state/caches")) if name != "lock"]


class OfAWorkerThatRuns(CachesCommand):
    async def test_list(self) -> None:
        await self.kept_by(self.worker())
        cache = (await self.listed())["c"]
        self.assertEqual((cache["kind"], cache["platform"], cache["inUse"]), ("exclusive", "native", False))
        self.assertIn("exclusive  ", await self.caches("list"))

    async def test_purge(self) -> None:
        await self.kept_by(self.worker())
        self.assertIn("1 being removed", await self.caches("purge", "c"))
        self.assertNotIn("c", await self.listed())
        await until(lambda: self.folders() == [])

    async def test_clear_takes_what_is_used_when_it_is_done(self) -> None:
        worker = self.worker()
        task_id = await self.mounting("touch begun cache/file; until test -e go; do sleep 0.1; done")
        await until(self.begun)
        self.assertIn("2 in use", await self.caches("clear"))
        cache = (await self.listed())["c"]
        self.assertEqual((cache["inUse"], cache["run"], cache["toBePurged"]), (True, f"{task_id}/0", True))
        self.say_in_tasks("go")
        self.assertEqual((await self.client.until_resolved(task_id))[-1]["state"], "completed", worker.output)
        await until(lambda: self.folders() == [])


class RemovedByHand(CachesCommand):
    async def test_the_next_task_has_new_ones(self) -> None:
        worker = self.worker()
        await self.kept_by(worker)
        for kind in ("caches", "downloads"):
            remove(self.path(f"state/{kind}"))
        task_id = await self.mounting("test ! -e cache/file && touch cache/file")
        self.assertEqual((await self.client.until_resolved(task_id))[-1]["state"], "completed", worker.output)
        await worker.until_printed("is not the folder any more that this worker took at its start")
        self.assertEqual(os.stat(self.path("state/caches")).st_mode & 0o777, 0o700)
        await self.kept_by(worker)


class OfAWorkerThatRan(CachesCommand):
    async def left(self) -> None:
        worker = self.worker()
        await self.kept_by(worker)
        await self.control("stop")
        self.assertEqual(await worker.until_ended(), ProcessStatus.SHUTDOWN)

    async def test_list_and_clear(self) -> None:
        await self.left()
        self.assertIn("c", await self.listed())
        self.assertIn("removed", await self.caches("clear"))
        self.assertEqual((await self.listed(), self.folders()), ({}, []))

    async def test_what_stays_is_the_next_worker_s(self) -> None:
        await self.left()
        self.assertEqual(await self.caches("purge", "d"), "there is no cache d\n")
        self.worker()
        task_id = await self.mounting("test -s cache/file")
        self.assertEqual((await self.client.until_resolved(task_id))[-1]["state"], "completed")
