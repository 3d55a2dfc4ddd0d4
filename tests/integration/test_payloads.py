"""What payloads ask for, through a whole worker (contracts of generic-worker, 1 and 7)."""

from __future__ import annotations

import grp
import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.definitions import shell
from tests.integration.task_case import POOL, TaskCase
from tests.surroundings import only_root, until

GROUP = f"generic-worker:os-group:{POOL}"
AS_WORKER = {"runTaskAsCurrentUser": True}
AS_WORKER_SCOPE = f"generic-worker:run-task-as-current-user:{POOL}"

BOTH_LOGS = {"public/logs/live.log", "public/logs/live_backing.log"}


class AsRootCase(TaskCase):
    """Each task has a user of its own."""

    async def prepare(self) -> None:
        only_root()
        await super().prepare()


class Groups(AsRootCase):
    async def test_the_task_s_user_is_in_them(self) -> None:
        outcome = await self.run_task(shell("id -Gn", osGroups=["audio", "video"]), scopes=[f"{GROUP}/*"])
        self.assertResolved(outcome, "completed")
        (groups,) = [line.split() for line in outcome.lines if line.startswith("task_")]
        self.assertEqual(set(groups[1:]), {"audio", "video"})
        await until(lambda: groups[0] not in grp.getgrnam("audio").gr_mem)


class AsTheWorker(AsRootCase):
    async def test_it_can_start_others_as_the_task_s_user(self) -> None:
        script = (
            'id -u; stat -c "mode %a" "$TASK_USER_CREDENTIALS"; cp "$TASK_USER_CREDENTIALS" copy; stat -c "of %U" .'
        )
        artifact = {"type": "file", "path": "copy", "name": "public/copy"}
        payload = shell(script, features=AS_WORKER, artifacts=[artifact])
        outcome = await self.run_task(payload, scopes=[AS_WORKER_SCOPE])
        self.assertResolved(outcome, "completed", "0", "mode 600", "of task_")
        copied = json.loads(await self.client.content(outcome.task_id, 0, "public/copy"))
        self.assertEqual(copied.keys(), {"name", "password"})
        self.assertIn(f"of {copied['name']}", outcome.lines)

    async def test_it_joins_no_groups(self) -> None:
        scopes = [AS_WORKER_SCOPE, f"{GROUP}/audio"]
        outcome = await self.run_task(shell("id -u", osGroups=["audio"], features=AS_WORKER), scopes=scopes)
        self.assertResolved(outcome, "completed", "[osGroups] no group is joined", "0")


class OneUserForAll(TaskCase):
    """A worker whose tasks run as it does."""

    settings: ClassVar[Mapping[str, Any]] = {"taskUsers": False}

    async def test_other_groups_than_the_worker_s_are_refused(self) -> None:
        mine = {*os.getgroups(), os.getegid()}
        name = next(entry.gr_name for entry in grp.getgrall() if entry.gr_gid not in mine)
        own = grp.getgrgid(os.getegid()).gr_name
        outcome = await self.run_task(shell("true", osGroups=[own, name]), scopes=[f"{GROUP}/*"])
        self.assertMalformed(outcome, f"payload.osGroups[1]: tasks cannot be in group {name} on this worker, only in ")
        self.assertIn(own, outcome.errors[0])

    async def test_its_own_are_there(self) -> None:
        own = grp.getgrgid(os.getegid()).gr_name
        outcome = await self.run_task(shell("id -gn", osGroups=[own]), scopes=[f"{GROUP}/*"])
        self.assertResolved(outcome, "completed", own)

    async def test_with_its_rights_is_nothing_else(self) -> None:
        payload = shell('echo "as $(id -u), ${TASK_USER_CREDENTIALS-none}"', features=AS_WORKER)
        outcome = await self.run_task(payload, scopes=[AS_WORKER_SCOPE])
        self.assertResolved(outcome, "completed", f"as {os.getuid()}, none")


class ExitStatuses(TaskCase):
    async def test_caches_that_nobody_has_are_not_purged(self) -> None:
        outcome = await self.run_task(shell("exit 72", onExitStatus={"purgeCaches": [0, 72]}))
        self.assertResolved(outcome, "failed")
        self.assertEqual(outcome.errors, ["command 0 exited with status 72"])


class Logs(TaskCase):
    async def test_other_names(self) -> None:
        names = {"live": "private/live.txt", "backing": "public/backing.txt"}
        outcome = await self.run_task(shell("echo printed", logs=names))
        self.assertEqual(outcome.artifacts.keys(), set(names.values()))
        self.assertEqual(outcome.artifacts["private/live.txt"]["storageType"], "link")
        self.assertIn("printed", outcome.lines)

    async def test_none(self) -> None:
        outcome = await self.run_task(shell("echo printed", features={"backingLog": False}))
        self.assertEqual((outcome.resolution, outcome.artifacts), ("completed", {}))

    async def test_the_usual_names_for_a_payload_that_cannot_be_read(self) -> None:
        outcome = await self.run_task({"logs": {"live": 1}, "features": {"backingLog": "no"}})
        self.assertMalformed(outcome, 'payload.features.backingLog: found "no" (a string), expected true or false')
        self.assertEqual(outcome.artifacts.keys(), {*BOTH_LOGS, "public/logs/verdict.json"})
