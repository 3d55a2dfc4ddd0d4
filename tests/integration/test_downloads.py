"""Downloads of whole workers: what a storage of the deployment's own gives, and what a server of its own does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.integration.bad_server import content, slow
from tests.integration.mounts_case import MountsCase
from tests.integration.task_client import Outcome


class ObjectArtifacts(MountsCase):
    """Artifacts that the object service has, and that it knows checksums of."""

    settings: ClassVar[Mapping[str, Any]] = {"createObjectArtifacts": True}

    async def test_one_of_another_task(self) -> None:
        task_id = await self.artifact("made before")
        mount = {"file": "x", "content": {"taskId": task_id, "artifact": "public/data.txt"}}
        for _ in range(2):
            await self.assertPrints("cat x; echo", "made before", mount, dependencies=[task_id])

    async def test_one_that_is_another_than_the_task_expects(self) -> None:
        task_id = await self.artifact("made before")
        wanted = {"taskId": task_id, "artifact": "public/data.txt", "sha256": hashlib.sha256(b"else").hexdigest()}
        outcome = await self.mounting("cat x", {"file": "x", "content": wanted}, dependencies=[task_id])
        self.assertResolved(outcome, "failed", "payload.mounts[0]: artifact public/data.txt of task ")


class CompressedArtifacts(MountsCase):
    """Artifacts that their storage has compressed."""

    async def test_one_comes_as_its_task_made_it(self) -> None:
        entry = {"type": "file", "path": "log.txt", "name": "public/log.txt", "contentEncoding": "gzip"}
        made = await self.mounting("seq 5000 > log.txt", payload={"artifacts": [entry]})
        wanted = hashlib.sha256("".join(f"{number}\n" for number in range(1, 5001)).encode()).hexdigest()
        given = {"taskId": made.task_id, "artifact": "public/log.txt", "sha256": wanted}
        await self.assertPrints("tail -1 x", "5000", {"file": "x", "content": given}, dependencies=[made.task_id])


class PrivateArtifacts(MountsCase):
    """Artifacts that not every task may read, though they are here already."""

    async def test_a_task_that_may_not_have_it_does_not_get_it_from_a_cache(self) -> None:
        entry = {"type": "file", "path": "x", "name": "private/x"}
        made = await self.mounting("echo secret > x", payload={"artifacts": [entry]})
        scope = "queue:get-artifact:private/x"
        await self.assertPrints("cat x", "secret", self.mount(made), scopes=[scope], dependencies=[made.task_id])
        outcome = await self.mounting("cat x", self.mount(made), scopes=[], dependencies=[made.task_id])
        self.assertResolved(outcome, "failed", scope)
        self.assertNotIn("secret", outcome.lines)

    def mount(self, made: Outcome) -> Mapping[str, Any]:
        digest = hashlib.sha256(b"secret\n").hexdigest()
        return {"file": "x", "content": {"taskId": made.task_id, "artifact": "private/x", "sha256": digest}}


class Progress(MountsCase):
    """What a task's log says while something comes."""

    async def test_how_far_it_is_and_that_it_broke_without_secrets(self) -> None:
        data = bytes(1_200_000)
        url = self.server.serve("/x", content(data), content(data, cut=1000), slow(data, 100_000, 0.5))
        outcome = await self.mounting("wc -c < x", {"file": "x", "content": {"url": f"{url}?token=secret"}})
        self.assertResolved(
            outcome, "completed", "before all had come; trying again", " of 1.2 MB (", "downloaded ", "1200000"
        )
        self.assertIn(f"[mounts] mounts[0]: downloading {url}?…", outcome.log)
        self.assertNotIn("secret", outcome.log)
