"""The environment of a task."""

from __future__ import annotations

import os

from tcworker.errors import MalformedPayload, NamingConflict
from tcworker.testing.engines.harness import EngineHarness

IMPOSSIBLE = ("", "=", "A=B", "=A", "A\0", "\0")


class EnvironmentCases(EngineHarness):
    """Variables reach the task as they were set, and nothing of the worker's own does."""

    async def test_env_reaches_the_task(self) -> None:
        """Whatever characters it has."""
        env = {"SUITE_PLAIN": "value", "SUITE_ODD": "a=b  $HOME `x` 'y' \u00fc", "SUITE_EMPTY": ""}
        run, _ = await self.finish(self.payloads.prints_env(), env)
        lines = run.printed.splitlines()
        for name, value in env.items():
            self.assertIn(f"{name}={value}", lines)

    async def test_env_refuses_a_name_twice(self) -> None:
        """The first value stays; which of two would be meant nobody knows."""
        engine = self.new_engine(self.payloads.prints_env())
        engine.set_env("SUITE_TWICE", "a")
        with self.assertRaises(NamingConflict):
            engine.set_env("SUITE_TWICE", "a")
        await engine.discard()

    async def test_env_refuses_impossible_names(self) -> None:
        """What the system cannot hand over is the payload's fault, not the worker's."""
        engine = self.new_engine(self.payloads.prints_env())
        for name in IMPOSSIBLE:
            with self.assertRaises(MalformedPayload, msg=repr(name)):
                engine.set_env(name, "value")
        await engine.discard()

    async def test_env_refuses_impossible_values(self) -> None:
        """No variable can have a zero byte in it."""
        engine = self.new_engine(self.payloads.prints_env())
        with self.assertRaises(MalformedPayload):
            engine.set_env("SUITE_ZERO", "a\0b")
        await engine.discard()

    async def test_env_has_nothing_of_the_worker(self) -> None:
        """The worker's environment may hold credentials."""
        self.patch(os, "environ", os.environ.copy())
        os.environ["TASKCLUSTER_ACCESS_TOKEN"] = "suite-secret"
        await self.prepare()
        run, _ = await self.finish(self.payloads.prints_env())
        self.assertNotIn("suite-secret", run.printed)
