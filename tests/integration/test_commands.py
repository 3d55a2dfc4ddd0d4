"""The commands as they are installed, and every example."""

from __future__ import annotations

import os
import shutil
import signal
import sys

from twisted.trial.unittest import TestCase

from tests.integration.processes import ROOT, Command

BUILD = "-m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir"

TWISTD_WITHOUT_PTH = """
import sys
sys.path[:0] = sys.argv.pop(1).split(":")
import tcworker
print(tcworker.__file__)
from twisted.scripts.twistd import run
run()
"""


class CommandCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def start(self, *arguments: str) -> Command:
        command = Command(arguments, environment={"TMPDIR": self.folder})
        self.addCleanup(command.kill)
        return command


class TheExamples(CommandCase):
    async def run_examples(self, status: int, *names: str, options: tuple[str, ...] = ()) -> str:
        command = self.start("tcworker", "run", *(f"examples/{name}" for name in names), *options)
        self.assertEqual(await command.until_ended(), status, command.output)
        return command.output

    async def test_those_that_complete(self) -> None:
        for name in ("hello.yml", "payload.yml", "payload.json", "environment.yml", "artifacts.yml", "parameters.yml"):
            await self.run_examples(0, name)

    async def test_the_one_that_fails(self) -> None:
        self.assertIn("exited with status 3", await self.run_examples(1, "failing.yml"))

    async def test_the_one_that_is_malformed(self) -> None:
        self.assertIn('perhaps "command"', await self.run_examples(2, "malformed.yml"))

    async def test_a_group(self) -> None:
        output = await self.run_examples(0, "group/report.yml", "group/compile.yml", options=("--capacity", "2"))
        self.assertIn("report  | 1+2+3+4+5+6+7+8+9+10 = 55\n", output)

    async def test_a_checkout(self) -> None:
        await self.run_examples(0, "checkout.yml", options=("--checkout", "examples"))

    async def test_parameters(self) -> None:
        options = ("--param", "name=Ada", "--param", "times=3")
        self.assertIn("3: Hello, Ada!", await self.run_examples(0, "parameters.yml", options=options))

    async def test_a_wheel_is_built(self) -> None:
        artifacts = os.path.join(self.folder, "artifacts")
        await self.run_examples(0, "build-wheel.yml", options=("--artifacts", artifacts))
        (wheel,) = (name for name in os.listdir(os.path.join(artifacts, "public")) if name.endswith(".whl"))
        self.assertTrue(wheel.startswith("tcworker-"))


class CtrlC(CommandCase):
    def file(self, text: str) -> str:
        path = os.path.join(self.folder, "task.json")
        with open(path, "w") as file:
            file.write(text)
        return path

    async def test_the_log_is_published_and_the_status_tells(self) -> None:
        command = self.start("tcworker", "run", self.file('{"command": [["sh", "-c", "echo begun; sleep 100"]]}'))
        await command.until_printed("\nbegun\n")
        command.signal(signal.SIGINT)
        self.assertEqual(await command.until_ended(), 2)
        self.assertRegex(command.output, r"task: exception/canceled in .*; artifacts in ")


class ThePlugin(CommandCase):
    async def test_is_found_after_an_editable_install(self) -> None:
        command = Command(["twistd", "--help"], folder=self.folder)
        await command.until_ended()
        self.assertIn("Run tasks of a Taskcluster queue.", command.output)

    async def test_is_found_after_a_wheels(self) -> None:
        source, installed = os.path.join(self.folder, "source"), os.path.join(self.folder, "installed")
        os.mkdir(source)
        for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(os.path.join(ROOT, name), source)
        for name in ("tcworker", "twisted"):
            shutil.copytree(os.path.join(ROOT, name), os.path.join(source, name))
        built = self.start("python", *BUILD.split(), self.folder, source)
        self.assertEqual(await built.until_ended(), 0, built.output)
        (wheel,) = (os.path.join(self.folder, name) for name in os.listdir(self.folder) if name.endswith(".whl"))
        shutil.unpack_archive(wheel, installed, "zip")
        # Without .pth files, so that the editable install is out of sight.
        libraries = ":".join([installed, *(path for path in sys.path if path.endswith("site-packages"))])
        command = self.start("python", "-I", "-S", "-c", TWISTD_WITHOUT_PTH, libraries, "--help")
        self.assertEqual(await command.until_ended(), 0, command.output)
        self.assertIn("Run tasks of a Taskcluster queue.", command.output)
        self.assertIn(os.path.join(installed, "tcworker"), command.output)
