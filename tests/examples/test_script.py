"""The example of somebody else's platform: the contract suite runs on it, and it does what it says of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from examples.plugins.script import ScriptPlatform
from tcworker.config import Config
from tcworker.errors import InternalError, MalformedPayload, NotFound
from tcworker.interfaces import ArchiveFault, Credentials, SandboxRecord
from tcworker.testing.engines import EngineSuite, Made, Payload, ShellPayloads
from tcworker.testing.engines.harness import EngineHarness

NAME = "examples.plugins.script.ScriptPlatform"

RUN_SCRIPT = "import json, os, sys; os.execv('/bin/sh', ['sh', '-c', json.load(sys.stdin)['script']])"

SHELL = (sys.executable, "-I", "-c", RUN_SCRIPT)
"""A command that lets a task say what to run: for the suite only, this is what nobody would configure."""


class ScriptHarness(EngineHarness):
    reactor = reactor
    payloads = ShellPayloads(lambda script: {"script": script})
    command: Sequence[str] = SHELL

    def setUp(self) -> Any:
        self.folder = tempfile.mkdtemp(prefix="script-tasks-")
        self.addCleanup(self.remove)
        return super().setUp()

    def remove(self) -> None:
        if os.path.isdir(self.folder):
            shutil.rmtree(self.folder)
        else:
            os.unlink(self.folder)

    def new_platform(self) -> ScriptPlatform:
        config = Config(
            root_url="https://tc.example.com",
            credentials=Credentials("worker", "secret"),
            worker_type="test",
            worker_id="w1",
            tasks_dir=self.folder,
            extensions={NAME: {"command": self.command}},
        )
        return ScriptPlatform(reactor, config)


class ScriptContract(ScriptHarness, EngineSuite, TestCase):
    def failing_start(self) -> Payload:
        os.rmdir(self.folder)
        open(self.folder, "w").close()
        return self.payloads.prints("never")

    def traces(self) -> Sequence[str]:
        return os.listdir(self.folder) if os.path.isdir(self.folder) else []

    def rewrite(self, record: SandboxRecord, path: str, content: bytes | None) -> None:
        place = os.path.join(record.details["folder"], path)
        if content is None:
            os.unlink(place)
        else:
            with open(place, "wb") as file:
                file.write(content)

    def replace_by_link(self, record: SandboxRecord, path: str, target: str) -> None:
        place = os.path.join(record.details["folder"], path)
        os.unlink(place)
        os.symlink(target, place)


class PayloadTests(ScriptHarness, TestCase):
    command = ("/bin/cat",)

    async def test_the_command_gets_the_payload(self) -> None:
        payload = {"sign": ["a", "b"], "how": {"key": 1}}
        run, result = await self.finish(payload)
        self.assertEqual(json.loads(run.printed), payload)
        self.assertEqual(result.commands[0].argv, self.command)


class FolderTests(ScriptHarness, TestCase):
    async def test_no_path_leads_out_of_the_folder(self) -> None:
        outside = self.make_secret("not of the task")
        tree = {"out/link": Made("link", outside), "x": Made("file", "x")}
        _, result = await self.finish(self.payloads.makes(tree))
        for path in ("out/link", outside, "../" * 20 + outside, f"x/../../{os.path.basename(self.folder)}-beside"):
            await self.fails(result.archive_file(path), NotFound)
        entries = [entry async for entry in result.archive_folder("out")]
        self.assertEqual([(type(entry), entry.path) for entry in entries], [(ArchiveFault, "link")])


class ExitStatusTests(ScriptHarness, TestCase):
    async def test_two_is_a_malformed_payload(self) -> None:
        run = await self.start(self.payloads.prints("the key is unknown", 2))
        await self.fails(run.execution.when_finished(), MalformedPayload)
        self.assertEqual(run.printed, "the key is unknown\n")
        self.assertEqual(os.listdir(self.folder), [])

    async def test_what_says_nothing_about_the_task_is_the_workers_fault(self) -> None:
        run = await self.start(self.payloads.prints("", 3))
        error = await self.fails(run.execution.when_finished(), InternalError)
        self.assertIn("ended with 3", str(error))


class MissingCommandTests(TestCase):
    async def test_a_command_that_is_not_there_is_found_before_the_first_claim(self) -> None:
        harness = ScriptHarness()
        harness.command = ("/no/such/command",)
        harness.folder = self.mktemp()
        platform = harness.new_platform()
        self.addCleanup(platform.dispose)
        error = await self.assertFailure(platform.prepare([]), FileNotFoundError)
        self.assertIn("/no/such/command", str(error))
