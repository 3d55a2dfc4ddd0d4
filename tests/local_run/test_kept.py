"""Where the caches of C{tcworker run} are."""

from __future__ import annotations

import io
import os
import stat

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.local_run.kept import KeptFolder, usual_folder
from tcworker.local_run.output import Output
from tcworker.waiting import Threads


class TheUsualFolder(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ, "HOME": "/home/me"})

    def test_is_where_caches_of_a_user_are(self) -> None:
        self.assertEqual(usual_folder({}), "/home/me/.cache/tcworker")
        self.assertEqual(usual_folder({"XDG_CACHE_HOME": "/big/cache"}), "/big/cache/tcworker")

    def test_is_not_relative(self) -> None:
        for base in ("", "cache", "./cache"):
            self.assertEqual(usual_folder({"XDG_CACHE_HOME": base}), "/home/me/.cache/tcworker")


class Taking(TestCase):
    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        self.stream = io.BytesIO()
        threads = Threads(reactor, 1, "printing")
        self.addCleanup(threads.stop)
        self.output = Output(self.stream, colours=False, threads=threads, broken=lambda: None)

    def take(self) -> KeptFolder | None:
        return KeptFolder.take_or_say(self.path, self.output)

    async def said(self) -> str:
        await self.output.flush()
        return self.stream.getvalue().decode()

    def test_it_is_made_for_the_user_alone(self) -> None:
        kept = self.take()
        assert kept is not None
        self.assertEqual((kept.path, stat.S_IMODE(os.stat(self.path).st_mode)), (self.path, 0o700))
        kept.give_up()

    async def test_one_command_has_it_at_a_time(self) -> None:
        first = self.take()
        assert first is not None
        self.assertIsNone(self.take())
        why = f"process {os.getpid()} uses {self.path}"
        self.assertEqual(await self.said(), f"Caches start empty, and are not kept: {why}\n")
        first.give_up()
        second = self.take()
        assert second is not None
        second.give_up()

    async def test_one_that_cannot_be_had(self) -> None:
        self.path = "/proc/none"
        self.assertIsNone(self.take())
        self.assertIn("not kept: /proc/none: ", await self.said())
