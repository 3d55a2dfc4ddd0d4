"""Where the caches of C{tcworker run} are."""

from __future__ import annotations

import os
import pwd
import stat
from typing import NoReturn

from twisted.trial.unittest import SynchronousTestCase

from tcworker.local_run.kept import KeptFolder, KeptInUse, KeptUnusable, usual_folder


class TheUsualFolder(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ, "HOME": "/home/me"})

    def test_is_where_caches_of_a_user_are(self) -> None:
        self.assertEqual(usual_folder({}), "/home/me/.cache/tcworker")
        self.assertEqual(usual_folder({"XDG_CACHE_HOME": "/big/cache"}), "/big/cache/tcworker")

    def test_is_not_relative(self) -> None:
        for base in ("", "cache", "./cache"):
            self.assertEqual(usual_folder({"XDG_CACHE_HOME": base}), "/home/me/.cache/tcworker")

    def test_is_not_where_the_command_was_started_for_a_user_whom_the_machine_does_not_know(self) -> None:
        self.patch(os, "environ", {})
        self.patch(pwd, "getpwuid", _unknown)
        self.assertEqual(usual_folder({}), "/.cache/tcworker")


def _unknown(uid: int) -> NoReturn:
    raise KeyError(uid)


class Taking(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())

    def test_it_is_made_for_the_user_alone(self) -> None:
        kept = KeptFolder.take(self.path)
        self.assertEqual((kept.path, stat.S_IMODE(os.stat(self.path).st_mode)), (self.path, 0o700))
        kept.give_up()

    def test_one_command_has_it_at_a_time(self) -> None:
        first = KeptFolder.take(self.path)
        with self.assertRaises(KeptInUse) as caught:
            KeptFolder.take(self.path)
        self.assertEqual(str(caught.exception), f"process {os.getpid()} uses {self.path}")
        first.give_up()
        KeptFolder.take(self.path).give_up()

    def test_one_that_cannot_be_had(self) -> None:
        with self.assertRaises(KeptUnusable) as caught:
            KeptFolder.take("/proc/none")
        self.assertIn("/proc/none: ", str(caught.exception))
