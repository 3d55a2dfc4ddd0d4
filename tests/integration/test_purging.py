"""Requests to purge caches, heeded by a whole worker."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tcworker.cache import purge_requests
from tcworker.client.services import PurgeCache
from tests.definitions import shell
from tests.integration.mounts_case import SCOPES, MountsCase
from tests.integration.task_case import POOL
from tests.integration.task_client import Outcome

CACHE = {"cacheName": "c", "directory": "cache"}

LOOK = "test -e cache/left && echo there || echo new; touch cache/left"
"""Says whether a task before left something in the cache, and leaves something."""


class Purging(MountsCase):
    async def purge(self, name: str = "c") -> None:
        await self.client.service(PurgeCache).purge_cache(POOL, {"cacheName": name})

    async def assertLooks(self, found: str) -> Outcome:
        return await self.assertPrints(LOOK, found, CACHE)

    async def test_what_was_made_before_is_gone_for_the_next_task(self) -> None:
        await self.assertLooks("new")
        await self.assertLooks("there")
        await self.purge()
        await self.assertLooks("new")

    async def test_what_was_made_since_stays(self) -> None:
        """Though the request is listed for some minutes more."""
        await self.assertLooks("new")
        await self.purge()
        await self.assertLooks("new")
        await self.assertLooks("there")

    async def test_another_one_s_request(self) -> None:
        await self.assertLooks("new")
        await self.purge("d")
        await self.client.service(PurgeCache).purge_cache(f"{POOL}-other", {"cacheName": "c"})
        await self.assertLooks("there")

    async def test_a_task_without_caches_asks_for_nothing(self) -> None:
        asked = self.watch("GET", "/purge-cache/")
        self.assertResolved(await self.mounting("true", {"file": "x", "content": {"raw": "x"}}), "completed")
        self.assertEqual(asked, [])

    async def test_an_outage_keeps_no_task_from_its_cache(self) -> None:
        await self.assertLooks("new")
        await self.purge()
        self.patch(purge_requests, "PATIENCE", 0.5)
        self.refuse("GET", "/purge-cache/", 503)
        await self.assertLooks("there")


class InUse(MountsCase):
    """Two tasks at a time, of which the first waits until the second is over."""

    settings: ClassVar = {"capacity": 2}

    async def test_what_a_task_has_goes_when_it_is_done(self) -> None:
        payload = shell("touch begun cache/left; until test -e go; do sleep 0.1; done", mounts=[CACHE])
        task_id = await self.client.create(payload, scopes=list(SCOPES))
        await self.until_begun()
        await self.client.service(PurgeCache).purge_cache(POOL, {"cacheName": "c"})
        # It is the next task's question that brings it up.
        await self.assertPrints(LOOK, "new", {**CACHE, "cacheName": "d"})
        self.let_go()
        self.assertResolved(await self.client.outcome(task_id), "completed")
        await self.assertPrints(LOOK, "new", CACHE)

    def let_go(self) -> None:
        for begun in Path(self.site.tasks_dir).glob("*/begun"):
            begun.with_name("go").touch()
