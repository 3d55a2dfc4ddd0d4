"""What tasks leave behind, as the world then sees it (contracts of generic-worker, 3)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import timedelta
from glob import glob
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar
from uuid import uuid4

from twisted.internet.task import LoopingCall
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.interfaces import JSON
from tcworker.task.claim import read_date, write_date
from tests.definitions import shell
from tests.integration.meddling import Render
from tests.integration.task_case import FILE, TaskCase
from tests.integration.task_client import Outcome
from tests.surroundings import only_root

LOGS = {"public/logs/live.log", "public/logs/live_backing.log", "public/logs/verdict.json"}


def file(path: str, **more: Any) -> Mapping[str, Any]:
    return {"type": "file", "path": path, "name": f"public/{path.strip('/')}", **more}


def folder(path: str, **more: Any) -> Mapping[str, Any]:
    return {**file(path, **more), "type": "directory"}


class ArtifactCase(TaskCase):
    async def left(self, script: str, *artifacts: Mapping[str, Any], **payload: Any) -> Outcome:
        """Run a task that leaves something."""
        return await self.run_task(shell(script, artifacts=list(artifacts), **payload))

    def names(self, outcome: Outcome) -> set[str]:
        """Those of a run's artifacts, without its logs."""
        return outcome.artifacts.keys() - LOGS

    async def read(self, outcome: Outcome, name: str) -> bytes:
        return await self.client.content(outcome.task_id, 0, name)

    async def reasons(self, outcome: Outcome) -> dict[str, str]:
        """The reasons of a run's error artifacts, by their names."""
        errors = [name for name, each in outcome.artifacts.items() if each["storageType"] == "error"]
        found: Sequence[JSON] = [await self.client.queue.artifact(outcome.task_id, 0, name) for name in errors]
        return {name: error["reason"] for name, error in zip(errors, found, strict=True)}


class WhatThereIs(ArtifactCase):
    """Files that are published."""

    async def test_after_success_failure_and_a_kill(self) -> None:
        for script, resolution in {"true": "completed", "exit 3": "failed", "sleep 60": "failed"}.items():
            outcome = await self.left(f"echo hello > out.txt; {script}", FILE, maxRunTime=1)
            self.assertResolved(outcome, resolution)
            self.assertEqual(await self.read(outcome, "public/out.txt"), b"hello\n")

    async def test_type_and_length(self) -> None:
        outcome = await self.left(
            "printf hello | tee a.txt b.LOG c.zip > d", *map(file, ("a.txt", "b.LOG", "c.zip", "d"))
        )
        self.assertResolved(outcome, "completed")
        self.assertEqual(
            {name: outcome.artifacts[name]["contentType"] for name in self.names(outcome)},
            {
                "public/a.txt": "text/plain; charset=utf-8",
                "public/b.LOG": "text/plain",
                "public/c.zip": "application/zip",
                "public/d": "application/octet-stream",
            },
        )
        for name in self.names(outcome):
            self.assertEqual(outcome.artifacts[name]["contentLength"], 5)
            self.assertEqual(await self.read(outcome, name), b"hello")

    async def test_paths_relative_absolute_and_through_links(self) -> None:
        outcome = await self.left(
            "mkdir -p real/deep; echo 1 > real/deep/a; ln -s real link; ln -s ../real/deep/a real/b",
            folder("link"),
            file("link/b", name="public/b"),
            file("/etc/passwd"),
        )
        self.assertResolved(outcome, "completed")
        self.assertEqual(self.names(outcome), {"public/link/deep/a", "public/link/b", "public/b", "public/etc/passwd"})
        self.assertIn(b"root:", await self.read(outcome, "public/etc/passwd"))

    async def test_names_that_an_address_must_escape(self) -> None:
        outcome = await self.left("mkdir out; echo 1 > 'out/a b?c=d#e%2Ff&g+h:~'", folder("out"))
        self.assertResolved(outcome, "completed")
        self.assertEqual(await self.read(outcome, "public/out/a b?c=d#e%2Ff&g+h:~"), b"1\n")

    async def test_the_first_and_last_moment_to_expire(self) -> None:
        created = await self.client.create(shell("true"))
        task = await self.client.queue.task(created)
        deadline, expires = (read_date(task[key]) for key in ("deadline", "expires"))
        wanted = {"a": deadline - timedelta(seconds=1), "b": expires + timedelta(seconds=1)}
        artifacts = [file(path, expires=write_date(moment)) for path, moment in wanted.items()]
        dates = {key: task[key] for key in ("created", "deadline", "expires")}
        outcome = await self.run_task(shell("touch a b", artifacts=artifacts), **dates)
        self.assertResolved(outcome, "completed")
        self.assertEqual(outcome.artifacts["public/b"]["expires"], task["expires"])

    async def test_an_empty_directory_is_nothing(self) -> None:
        outcome = await self.left("mkdir empty", folder("empty"))
        self.assertResolved(outcome, "completed")
        self.assertEqual(self.names(outcome), set())

    async def test_a_file_with_a_hole(self) -> None:
        outcome = await self.left("truncate -s 200M hole", file("hole"))
        self.assertResolved(outcome, "completed")
        self.assertEqual(outcome.artifacts["public/hole"]["contentLength"], 200 << 20)

    async def test_reserved_names_and_files_that_are_listed_twice(self) -> None:
        script = "mkdir -p public/logs; echo 1 > public/logs/live.log; echo 2 > public/a"
        outcome = await self.left(script, {"type": "directory", "path": "public"}, file("public/a", name="public/a"))
        self.assertResolved(outcome, "completed", "artifact public/logs/live.log is left out")
        self.assertEqual((self.names(outcome), outcome.errors), ({"public/a"}, []))


class WhatThereIsNot(ArtifactCase):
    """Error artifacts, and what is refused at once."""

    async def test_the_reasons(self) -> None:
        outcome = await self.left(
            "mkfifo pipe; mkdir dir; echo 1 > file; ln -s loop loop; ln -s /dev/zero device; echo 2 > fine",
            *map(file, ("pipe", "dir", "loop", "device", "missing", "fine")),
            folder("file"),
            folder("none", optional=True),
        )
        self.assertResolved(outcome, "failed", "TASK FAILURE during artifact upload: public/pipe")
        invalid, missing = "invalid-resource-on-worker", "file-missing-on-worker"
        self.assertEqual(
            await self.reasons(outcome),
            {
                **{f"public/{name}": invalid for name in ("pipe", "dir", "device", "file")},
                **{f"public/{name}": missing for name in ("loop", "missing", "none")},
            },
        )
        self.assertEqual(await self.read(outcome, "public/fine"), b"2\n")
        self.assertNotIn("public/none", "".join(outcome.errors))

    async def test_odd_entries_of_a_directory_stop_no_other(self) -> None:
        script = """
            mkdir -p out/deep; cd out; echo 1 > "$(printf 'a\\nb')"; echo 2 > "$(printf '\\377')"; ln -s deep folder
            echo 3 > "$(printf 'x%.0s' $(seq 255))"; deep=$(printf 'dd/%.0s' $(seq 1200))
            mkdir -p "$deep"; cd -P "$deep"; mkdir -p "$deep"
        """
        outcome = await self.left(script, folder("out"))
        self.assertResolved(outcome, "failed")
        self.assertEqual(self.names(outcome), {"public/out/" + "x" * 255, "public/out/folder"})
        for name in ("public/out/a\\x0ab: ", "public/out/\\xff: ", "public/out/dd/dd/dd/"):
            self.assertTrue(any(name in error for error in outcome.errors), outcome.errors)
        await self.assertWorks()

    async def test_a_name_twice_is_refused_before_anything_runs(self) -> None:
        outcome = await self.left("true", file("a"), file("b", name="public/a"))
        self.assertMalformed(outcome, "payload.artifacts[1]: has the name 'public/a' of payload.artifacts[0]")
        self.assertEqual(outcome.artifacts.keys(), LOGS)

    async def test_names_that_clash_later_harm_no_other(self) -> None:
        script = "mkdir one two; touch one/a two/a one/b two/c"
        outcome = await self.left(script, *(folder(path, name="public/x") for path in ("one", "two")))
        self.assertResolved(outcome, "exception/malformed-payload", "public/x/a: one/a and two/a have one name")
        self.assertEqual(self.names(outcome), {"public/x/a", "public/x/b", "public/x/c"})


class WhatTheTaskSees(ArtifactCase):
    """Paths are opened by the task's user, among the task's own mounts."""

    settings: ClassVar[Mapping[str, Any]] = {"taskUsers": True}

    async def prepare(self) -> None:
        only_root()
        await super().prepare()

    async def test_a_file_in_a_tmp_of_its_own(self) -> None:
        name = f"/tmp/tcworker-{uuid4().hex}"
        outcome = await self.left(f"mkdir {name}; echo mine | tee {name}/a > {name}/b", folder(name), file(f"{name}/a"))
        self.assertResolved(outcome, "completed")
        for path in ("a", "b"):
            self.assertEqual(await self.read(outcome, f"public{name}/{path}"), b"mine\n")
        self.assertNotIn(os.path.basename(name), os.listdir("/tmp"))

    def keep_from_others(self) -> str:
        """Make a folder with files of the test's own user, where tasks have no folder of their own."""
        other = Path(mkdtemp(dir="/srv"))
        self.addCleanup(shutil.rmtree, other)
        other.chmod(0o755)
        (other / "closed").mkdir(0o700)
        for path in (other / "secret", other / "closed/inside"):
            path.touch(0o600)
        (other / "hard").hardlink_to(other / "secret")
        return str(other)

    async def test_what_another_user_keeps_to_himself(self) -> None:
        other = self.keep_from_others()
        outcome = await self.left(
            f"ln -s {other}/secret link",
            *(file(f"{other}/{path}", name=path) for path in ("secret", "closed/inside", "hard")),
            file("link", name="link"),
            folder(f"{other}/closed", name="closed"),
        )
        self.assertResolved(outcome, "failed")
        names = ("secret", "closed/inside", "hard", "link", "closed")
        self.assertEqual(await self.reasons(outcome), dict.fromkeys(names, "file-not-readable-on-worker"))


class ChangingFiles(ArtifactCase):
    """Files that somebody of the same user changes while they are published."""

    def path(self, name: str) -> str:
        (path,) = glob(f"{self.site.tasks_dir}/*/{name}")
        return path

    async def test_one_that_grows_is_published_as_long_as_it_was(self) -> None:
        task_id = await self.client.create(
            shell("head -c 3000000 /dev/urandom | tee a.txt > a.zip; touch begun; sleep 1",
                  artifacts=[file("a.txt"), file("a.zip")])
        )  # fmt: skip
        await self.until_begun()
        descriptors = [os.open(self.path(name), os.O_WRONLY | os.O_APPEND) for name in ("a.txt", "a.zip")]
        growing = LoopingCall(lambda: [os.write(each, b"more" * 1000) for each in descriptors])
        growing.start(0.001)
        outcome = await self.client.outcome(task_id)
        growing.stop()
        self.assertResolved(outcome, "completed")
        for name, descriptor in zip(("public/a.txt", "public/a.zip"), descriptors, strict=True):
            length = outcome.artifacts[name]["contentLength"]
            self.assertEqual(len(await self.read(outcome, name)), length)
            self.assertTrue(3_000_000 <= length < os.fstat(descriptor).st_size)
            os.close(descriptor)

    async def test_one_that_shrinks_is_an_error_that_says_so(self) -> None:
        def cut(request: Request, render: Render) -> bytes | int:
            os.truncate(self.path("a.zip"), 5)
            request.setResponseCode(500)
            return b""

        self.meddle("PUT", "a.zip", cut)
        outcome = await self.left("head -c 100000 /dev/zero > a.zip", file("a.zip"))
        self.assertResolved(outcome, "failed", "a.zip became shorter: it has 5 of 100000 bytes")


class Storages(ArtifactCase):
    """Storages that do not do what they should."""

    async def test_what_may_pass_is_tried_again_at_a_fresh_address(self) -> None:
        answers = (307, 400, 403, 500, 503)
        for answer in answers:
            self.refuse("PUT", f"/storage/.*{answer}.zip", answer, 1)
        outcome = await self.left(
            " ".join(f"echo {answer} > {answer}.zip;" for answer in answers),
            *(file(f"{answer}.zip") for answer in answers),
        )
        self.assertResolved(outcome, "completed")
        for answer in answers:
            self.assertEqual(await self.read(outcome, f"public/{answer}.zip"), f"{answer}\n".encode())

    async def test_a_connection_that_is_lost_is_no_success(self) -> None:
        def hang_up(request: Any, render: Render) -> bytes | int:
            request.transport.abortConnection()
            return NOT_DONE_YET

        lost = self.meddle("PUT", "big", hang_up, 1)
        outcome = await self.left("head -c 1000000 /dev/zero > big.zip", file("big.zip"))
        self.assertResolved(outcome, "completed")
        self.assertEqual((len(lost), len(await self.read(outcome, "public/big.zip"))), (1, 1_000_000))

    async def test_what_will_not_pass_fails_the_task_and_stops_no_other(self) -> None:
        self.refuse("PUT", "/storage/.*refused", 404)
        outcome = await self.left("echo 1 | tee refused > fine", file("refused"), file("fine"))
        self.assertResolved(outcome, "exception/resource-unavailable", "public/refused", "?…: 404")
        self.assertEqual(await self.read(outcome, "public/fine"), b"1\n")
        # The signature of an address is in its query.
        self.assertNotRegex(outcome.log, r"\?[^…]*(sig|expires)=")

    async def test_of_an_optional_one_it_does_not(self) -> None:
        self.refuse("PUT", "/storage/.*refused", 404)
        outcome = await self.left("echo 1 > refused", file("refused", optional=True))
        self.assertResolved(outcome, "completed", "Optional artifact public/refused was not published")
        self.assertEqual(outcome.errors, [])


class Objects(ArtifactCase):
    """Artifacts through the object service."""

    settings: ClassVar[Mapping[str, Any]] = {"createObjectArtifacts": True}

    async def test_the_last_steps_are_repeated_until_they_work(self) -> None:
        self.refuse("PUT", "/artifacts/public/a.txt", 500, 1)
        self.refuse("POST", "/finish-upload/.*a.txt", 500, 1)
        outcome = await self.left("echo hello > a.txt", file("a.txt", contentEncoding="gzip"))
        self.assertResolved(outcome, "completed")
        self.assertEqual(outcome.artifacts["public/a.txt"]["storageType"], "object")
        self.assertEqual(await self.read(outcome, "public/a.txt"), b"hello\n")
