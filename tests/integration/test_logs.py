"""What is in the log of a task that a whole worker ran: all that it printed, and nothing that is secret."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.definitions import shell
from tests.integration.task_case import TaskCase

PRINTER = """
import sys
out = sys.stdout.buffer
for number in range(2000):
    out.write(bytes(range(256)) * 40 + b"\\n" * 300 + b"\\x1b[31mred\\x1b[0m\\r" * 40 + b"\\xff\\xc3" * 99)
out.write(b"\\n")
"""


def printed() -> bytes:
    """What L{PRINTER} prints."""
    return (bytes(range(256)) * 40 + b"\n" * 300 + b"\x1b[31mred\x1b[0m\r" * 40 + b"\xff\xc3" * 99) * 2000 + b"\n"


class Secrets(TaskCase):
    """A worker whose operator has something to hide."""

    settings: ClassVar[Mapping[str, Any]] = {
        "logs": {"mask": ["correct horse battery", {"pattern": "(?i)password=[^ ]{1,99}"}]}
    }

    async def test_what_the_operator_names(self) -> None:
        outcome = await self.run_task(shell("echo a correct horse battery staple; echo my PassWord=abc is it"))
        self.assertResolved(outcome, "completed", "a [masked] staple", "my [masked] is it")

    async def test_one_that_is_printed_piece_by_piece(self) -> None:
        outcome = await self.run_task(shell("printf 'a correct ho'; sleep 0.6; echo rse battery staple"))
        self.assertResolved(outcome, "completed", "a [masked] staple")

    async def test_in_lines_of_the_worker(self) -> None:
        outcome = await self.run_task(shell("exit 3", env={"A": "b"}, artifacts=[file("correct horse battery")]))
        self.assertNotIn("correct horse", outcome.log)
        self.assertIn("[taskcluster:error]", outcome.log)

    async def test_the_worker_s_own_token(self) -> None:
        token = self.site.taskcluster.root_credentials.access_token
        outcome = await self.run_task(shell('echo "the token is $TOKEN"', env={"TOKEN": token}))
        self.assertResolved(outcome, "completed", "the token is [masked]")


def file(path: str) -> Mapping[str, str]:
    """An artifact that is not there."""
    return {"type": "file", "path": path, "name": "public/a"}


class Output(TaskCase):
    """A worker with nothing to hide, whose tasks can use the Python that runs the tests."""

    settings: ClassVar[Mapping[str, Any]] = {"taskUsers": False}

    async def test_every_byte_is_there(self) -> None:
        payload = {"command": [[sys.executable, "-c", PRINTER]], "maxRunTime": 60}
        outcome = await self.run_task(payload)
        log = outcome.log.encode(errors="surrogateescape")
        _, _, rest = log.partition(b"Executing command 0: ")
        whole = printed()
        begin = rest.index(whole[:1000])
        self.assertEqual(digest(rest[begin : begin + len(whole)]), digest(whole))
        self.assertTrue(rest[begin + len(whole) :].startswith(b"[taskcluster "))

    async def test_a_line_of_the_worker_begins_a_line(self) -> None:
        outcome = await self.run_task(shell("printf 'no end'"))
        self.assertRegex(outcome.log, r"\nno end\n\[taskcluster ")

    async def test_no_argument_forges_a_line(self) -> None:
        outcome = await self.run_task({"command": [["true", "a\n[taskcluster:error] b\r\x1b[2Jc"]], "maxRunTime": 60})
        self.assertEqual(outcome.errors, [])
        self.assertNotIn("\r", outcome.log)
        self.assertNotIn("\x1b", outcome.log)

    async def test_the_lines_around_it(self) -> None:
        outcome = await self.run_task(shell("echo hello", "kill -SEGV $$"))
        self.assertResolved(
            outcome,
            "failed",
            "Worker Type (proj-tests/native) settings:",
            f"Task ID: {outcome.task_id}",
            "=== Task Starting ===",
            "Executing command 0: sh -c 'echo hello'",
            "hello",
            "Exit Code: 0",
            "Result: SUCCEEDED",
            "Executing command 1: sh -c 'kill -SEGV $$'",
            "Exit Code: none, killed by SIGSEGV",
            "User Time: ",
            "Kernel Time: ",
            "Wall Time: ",
            "Peak Memory: ",
            "Result: FAILED",
            "=== Task Finished ===",
            "Task Duration: ",
            "[taskcluster:error] ",
        )
        self.assertTrue(outcome.log.splitlines()[-1].startswith("[taskcluster:error] "))


class Silence(TaskCase):
    """Tasks that may print nothing for a second."""

    settings: ClassVar[Mapping[str, Any]] = {"idleOutputTimeoutSecs": 1}

    async def test_one_that_hangs(self) -> None:
        outcome = await self.run_task(shell("echo begun; sleep 50"))
        self.assertResolved(outcome, "failed", "begun", "ABORTED", "printed nothing for 1 seconds")

    async def test_one_that_says_something_now_and_then(self) -> None:
        outcome = await self.run_task(shell("for i in 1 2 3 4; do echo $i; sleep 0.5; done"))
        self.assertEqual(outcome.resolution, "completed", outcome.log)

    async def test_one_that_asked_for_more_time(self) -> None:
        outcome = await self.run_task(shell("sleep 1.5", idleOutputTimeoutSecs=30))
        self.assertEqual(outcome.resolution, "completed", outcome.log)


def digest(text: bytes) -> str:
    """So that a failure does not print megabytes."""
    return f"{len(text)} bytes, {hashlib.sha256(text).hexdigest()}"
