"""C{tcworker run} as its user sees it, but for the process: real tasks, real HTTP."""

from __future__ import annotations

import io
import os
import re
import sqlite3
import tempfile
from contextlib import redirect_stderr
from datetime import timedelta
from typing import Any

import yaml
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tcworker.interfaces import Credentials
from tcworker.local_run.command import RunCommand, RunOptions
from tcworker.local_run.kept import KeptFolder
from tcworker.state import RunRecord, StateStore
from tcworker.waiting import now
from tests.surroundings import only_root, until


class RunCase(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.artifacts = os.path.join(self.folder, "artifacts")
        self.kept = os.path.abspath(self.mktemp())
        self.out, self.err = io.BytesIO(), io.StringIO()
        self.patch(tempfile, "tempdir", self.folder)

    def file(self, name: str, content: Any) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            yaml.safe_dump(content, file)
        return path

    def shell(self, name: str, script: str, **definition: Any) -> str:
        payload = {"maxRunTime": 60, "command": [["sh", "-c", script]], **definition.pop("payload", {})}
        return self.file(name, {"payload": payload, **definition})

    def start(self, *files: str, **options: Any) -> Deferred[int]:
        given = RunOptions(files, **{"artifacts": self.artifacts, "caches": self.kept, **options})
        self.command = RunCommand(reactor, given, self.out, colours=False)
        with redirect_stderr(self.err):
            return self.command.run()

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().decode().splitlines()

    def published(self, name: str) -> str:
        with open(os.path.join(self.artifacts, name)) as file:
            return file.read()

    async def until_printed(self, text: str) -> None:
        await until(lambda: text in self.lines, complaint=lambda: self.lines)


class OneTask(RunCase):
    async def test_its_log_is_shown_and_its_artifacts_are_brought(self) -> None:
        artifacts = [{"type": "file", "path": "made", "name": "public/made.txt"}]
        task = self.shell("task.yml", "echo hello; echo something > made", payload={"artifacts": artifacts})
        self.assertEqual(await self.start(task), 0)
        self.assertIn("hello", self.lines)
        self.assertRegex(self.lines[-1], rf"^task: completed in .* s; artifacts in {self.artifacts}$")
        self.assertEqual(self.published("public/made.txt"), "something\n")
        self.assertIn("hello", self.published("public/logs/live_backing.log").splitlines())

    async def test_it_does_not_run_where_its_artifacts_have_no_place(self) -> None:
        task = self.shell("task.yml", "echo hello")
        for place in (task, os.path.join(task, "folder"), "/proc/none"):
            self.artifacts = place
            self.assertEqual(await self.start(task), 64)
            self.assertIn(f"{place}: artifacts cannot be put there: ", self.err.getvalue())
        self.assertEqual(self.lines, [])

    async def test_nothing_of_it_stays_in_the_temporary_folder(self) -> None:
        await self.start(self.shell("task.yml", "touch left; sleep 100 &"))
        self.assertEqual(sorted(os.listdir(self.folder)), ["artifacts", "task.yml"])

    async def test_one_that_fails(self) -> None:
        self.assertEqual(await self.start(self.shell("task.yml", "kill -SEGV $$")), 1)
        self.assertIn("failed", self.lines[-1])
        self.assertIn("command 0 was killed by SIGSEGV", self.lines[-1])

    async def test_one_that_is_malformed(self) -> None:
        self.assertEqual(await self.start(self.file("task.yml", {"payload": {"comand": []}})), 2)
        self.assertTrue(any("payload.comand" in line for line in self.lines))
        self.assertIn("exception/malformed-payload", self.lines[-1])

    async def test_it_finds_its_copy_of_the_checkout(self) -> None:
        tree = os.path.join(self.folder, "tree")
        os.mkdir(tree)
        self.shell("tree/file", "")
        self.assertEqual(await self.start(self.shell("task.yml", "rm $CHECKOUT/file"), checkout=tree), 0)
        self.assertEqual(os.listdir(tree), ["file"])

    async def test_it_runs_as_who_started_the_command(self) -> None:
        await self.start(self.shell("task.yml", "id -u"))
        self.assertIn(str(os.geteuid()), self.lines)

    async def test_it_has_the_terminals_variables_but_no_credentials(self) -> None:
        self.patch(os, "environ", {**os.environ, "COLOUR": "green", "TASKCLUSTER_ACCESS_TOKEN": "secret"})
        task = self.shell("task.yml", 'echo "$COLOUR and ${TASKCLUSTER_ACCESS_TOKEN:-none}"'.replace("${", "$${"))
        await self.start(task)
        self.assertIn("green and none", self.lines)


class Kept(RunCase):
    """C{--caches}."""

    async def test_what_the_worker_knows_stays_for_the_next_run(self) -> None:
        for _ in range(2):
            self.assertEqual(await self.start(self.shell("task.yml", "pwd")), 0)
            self.assertIn("state.db", os.listdir(os.path.join(self.kept, "state")))
            self.assertEqual(os.listdir(os.path.join(self.kept, "tasks")), [])
        self.assertTrue(any(line.startswith(os.path.join(self.kept, "tasks/")) for line in self.lines), self.lines)

    async def test_the_next_run_finds_what_a_task_left_in_its_cache(self) -> None:
        mounts = [{"cacheName": "c", "directory": "cache"}]
        script = "test -e cache/left && echo there || echo new; touch cache/left"
        task = self.file("task.yml", {"command": [["sh", "-c", script]], "mounts": mounts})
        for found in ("new", "there"):
            self.assertEqual(await self.start(task), 0)
            self.assertEqual([line for line in self.lines if line in ("new", "there")][-1], found)

    async def test_a_run_that_was_killed_holds_up_nobody(self) -> None:
        """The Taskcluster that would have to be told is no more."""
        state_dir = os.path.join(self.kept, "state")
        state = await StateStore.open(reactor, state_dir)
        credentials = Credentials("task", "token", "{}")
        await state.claimed(RunRecord("fN1SbArXTPSVFNUvaOlinQ", 0, now(reactor) + timedelta(minutes=20), credentials))
        await state.close()
        os.makedirs(os.path.join(state_dir, "runs/fN1SbArXTPSVFNUvaOlinQ-0"))
        self.assertEqual(await self.start(self.shell("task.yml", "true")), 0)
        self.assertRegex(self.lines[-1], "^task: completed")
        self.assertEqual(os.listdir(os.path.join(state_dir, "runs")), [])

    async def test_a_run_beside_another_keeps_nothing(self) -> None:
        first = KeptFolder.take(self.kept)
        self.assertEqual(await self.start(self.shell("task.yml", "echo hello")), 0)
        first.give_up()
        self.assertIn("hello", self.lines)
        self.assertIn(f"Caches start empty, and are not kept: process {os.getpid()} uses {self.kept}", self.lines)
        self.assertEqual(os.listdir(self.kept), ["lock"])

    async def test_a_folder_that_cannot_be(self) -> None:
        task = self.shell("task.yml", "echo hello")
        self.assertEqual(await self.start(task, caches=task), 64)
        self.assertIn(f"{task}: caches cannot be kept there: ", self.err.getvalue())


class KeptUnusable(RunCase):
    """A folder of caches that is not to be had, be it named or the user's usual one."""

    def setUp(self) -> None:
        super().setUp()
        self.in_new_folder()
        self.patch(os, "environ", dict(os.environ))

    def in_new_folder(self) -> None:
        base = os.path.abspath(self.mktemp())
        self.kept, self.state_dir = f"{base}/tcworker", f"{base}/tcworker/state"
        os.makedirs(self.state_dir, 0o700)

    def put(self, name: str, data: bytes) -> None:
        with open(f"{self.state_dir}/{name}", "wb") as file:
            file.write(data)

    async def assertUnusable(self, why: str) -> None:
        """Check that who names it gets no other one, and that it keeps nobody else from running tasks."""
        task = self.shell("task.yml", "echo hello")
        with redirect_stderr(self.err):
            self.assertEqual(await self.start(task), 64)
        self.assertIn(f"{self.kept}: caches cannot be kept there: {self.state_dir}{why}", self.err.getvalue())
        self.assertNotIn("hello", self.lines)
        os.environ["XDG_CACHE_HOME"] = os.path.dirname(self.kept)
        self.assertEqual(await self.start(task, caches=None), 0)
        self.assertIn(f"Caches start empty, and are not kept: {self.state_dir}{why}", self.lines[0])
        self.assertIn("hello", self.lines)
        # Nor does the command hold it any longer.
        KeptFolder.take(self.kept).give_up()

    async def test_that_another_tcworker_wrote(self) -> None:
        with sqlite3.connect(f"{self.state_dir}/state.db") as database:
            database.execute("PRAGMA user_version = 1000")
        await self.assertUnusable("/state.db was written by a newer tcworker")

    async def test_that_cannot_be_read(self) -> None:
        self.put("state.db", b"no database" * 1000)
        await self.assertUnusable("/state.db cannot be used (file is not a database); move it away")

    async def test_with_something_in_it_that_is_no_folder(self) -> None:
        for name in ("caches", "downloads"):
            self.in_new_folder()
            self.out.seek(0)
            self.out.truncate()
            self.put(name, b"")
            await self.assertUnusable(f"/{name}: expected a folder that can be made and written to")

    async def test_whose_lock_cannot_be_had(self) -> None:
        os.mkdir(f"{self.state_dir}/lock")
        await self.assertUnusable("/lock: Is a directory")

    async def test_that_a_worker_uses(self) -> None:
        state = await StateStore.open(reactor, self.state_dir)
        self.assertEqual(await self.start(self.shell("task.yml", "echo hello")), 0)
        await state.close()
        why = f"{self.state_dir} is in use by the worker with process id {os.getpid()}"
        self.assertIn(f"Caches start empty, and are not kept: {why}", self.lines[0])
        self.assertIn("hello", self.lines)


class UsersOfTheirOwn(RunCase):
    """C{--task-users}."""

    def setUp(self) -> None:
        super().setUp()
        only_root()

    async def test_each_task_has_one_and_a_home(self) -> None:
        self.patch(os, "environ", {**os.environ, "HOME": "/root", "COLOUR": "green"})
        task = self.shell("task.yml", 'test $(id -u) -ge 40000 && test "$HOME" = "$PWD" && echo $USER likes $COLOUR')
        self.assertEqual(await self.start(task, task_users=True), 0)
        self.assertTrue(any(re.fullmatch("task_.* likes green", line) for line in self.lines), self.lines)

    async def test_it_can_write_to_its_copy_of_the_checkout(self) -> None:
        tree = os.path.join(self.folder, "tree")
        os.mkdir(tree)
        self.shell("tree/file", "")
        task = self.shell("task.yml", "cd $CHECKOUT && echo more >> file && mkdir new && rm file")
        self.assertEqual(await self.start(task, checkout=tree, task_users=True), 0)
        self.assertEqual(os.listdir(tree), ["file"])


class WithoutRights(RunCase):
    async def test_users_of_their_own_are_for_root(self) -> None:
        self.patch(os, "geteuid", lambda: 1000)
        self.assertEqual(await self.start(self.shell("a.yml", "true"), task_users=True), 64)
        self.assertIn("--task-users: only root can give tasks users of their own", self.err.getvalue())


class SeveralTasks(RunCase):
    async def test_run_after_those_that_they_depend_on(self) -> None:
        second = self.shell("second.yml", "echo two", dependencies=["first.yml"])
        self.assertEqual(await self.start(second, self.shell("first.yml", "echo one"), capacity=2), 0)
        self.assertLess(self.lines.index("first  | one"), self.lines.index("second | two"))
        self.assertEqual(sorted(os.listdir(self.artifacts)), ["first", "second"])

    async def test_do_not_run_after_one_that_failed(self) -> None:
        files = [
            self.shell("a.yml", "exit 1"),
            self.shell("b.yml", "echo never", dependencies=["a"]),
            self.shell("c.yml", "echo never", dependencies=["b"]),
        ]
        self.assertEqual(await self.start(*files), 1)
        self.assertNotIn("never", self.lines)
        self.assertIn("b: did not run, for a was not completed", self.lines)
        self.assertIn("c: did not run, for b was not completed", self.lines)

    async def test_the_worst_decides(self) -> None:
        files = [self.shell("a.yml", "exit 1"), self.shell("b.yml", "true"), self.file("c.yml", {"payload": {}})]
        self.assertEqual(await self.start(*files), 2)


class Unusable(RunCase):
    async def test_nothing_runs_when_one_file_is_at_fault(self) -> None:
        status = await self.start(self.shell("a.yml", "echo hello"), self.file("b.yml", {"x": 1}))
        self.assertEqual(status, 64)
        self.assertIn("b.yml: found neither", self.err.getvalue())
        self.assertEqual(self.lines, [])

    async def test_what_the_queue_does_not_take(self) -> None:
        task = self.shell("a.yml", "true", deadline="2020-01-01T00:00:00Z")
        with redirect_stderr(self.err):
            self.assertEqual(await self.start(task), 64)
        self.assertIn("a.yml: deadline must be", self.err.getvalue())

    async def test_a_checkout_that_is_not_there(self) -> None:
        self.assertEqual(await self.start(self.shell("a.yml", "true"), checkout="/nowhere"), 64)


class Interrupted(RunCase):
    async def test_once_its_processes_end_and_its_log_is_published(self) -> None:
        running = self.start(self.shell("task.yml", "trap 'echo bye; exit' TERM; echo begun; sleep 100 & wait"))
        await self.until_printed("begun")
        self.command.interrupt()
        self.assertEqual(await running, 2)
        self.assertIn("task: exception/canceled", self.lines[-1])
        self.assertIn("bye", self.published("public/logs/live_backing.log"))

    async def test_twice_it_ends_at_once(self) -> None:
        running = self.start(self.shell("task.yml", "trap '' TERM; echo begun; sleep 100"))
        await self.until_printed("begun")
        self.command.interrupt()
        self.command.interrupt()
        self.assertEqual(await running, 2)
        self.assertTrue(self.command.abandoned)
        self.assertEqual(os.listdir(self.folder), ["task.yml"])
