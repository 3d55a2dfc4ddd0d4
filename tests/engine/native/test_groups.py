"""Which groups of the machine runs can be members of, where all of them run as one user."""

from __future__ import annotations

import grp
import os
import pwd

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native.task_user import find_user
from tcworker.engine.native.users import OneUser
from tcworker.errors import MalformedPayload
from tests.surroundings import only_root


class TheWorkersOwnUser(SynchronousTestCase):
    """Its groups are those of the worker (contracts of generic-worker, 1)."""

    def setUp(self) -> None:
        self.users = OneUser(find_user(None))
        self.patch(os, "getgid", lambda: 1)
        self.patch(os, "getegid", lambda: 1)
        self.patch(os, "getgroups", lambda: [2])
        self.own = [grp.getgrgid(number).gr_name for number in (1, 2)]

    def refused(self, name: str) -> str:
        return str(self.assertRaises(MalformedPayload, self.users.check_group, name))

    def test_a_group_that_it_is_in(self) -> None:
        for name in self.own:
            self.users.check_group(name)

    def test_a_group_that_it_is_not_in(self) -> None:
        """Whoever it is: it would be accepted without effect."""
        expected = f"tasks cannot be in group adm on this worker, only in {', '.join(sorted(self.own))}, which its user"
        for user in (0, 4711):
            self.patch(os, "geteuid", lambda user=user: user)
            self.assertIn(expected, self.refused("adm"))

    def test_a_group_that_there_is_not(self) -> None:
        self.assertIn("this machine has no group 'no-such-group'", self.refused("no-such-group"))
        self.assertIn("no group", self.refused("a\0b"))


class AnotherUser(SynchronousTestCase):
    """A C{taskUser}, whom root makes a member of any."""

    def setUp(self) -> None:
        only_root()
        self.users = OneUser(find_user("nobody"))

    def test_any_group_of_the_machine(self) -> None:
        self.users.check_group("adm")
        user = self.successResultOf(self.users.take("/home", ["adm"]))
        assert user.switch is not None
        self.assertIn(grp.getgrnam("adm").gr_gid, user.switch[2])
        self.assertEqual(user.switch[0], pwd.getpwnam("nobody").pw_uid)

    def test_a_group_that_there_is_not(self) -> None:
        self.assertRaises(MalformedPayload, self.users.check_group, "no-such-group")

    def test_only_for_the_run_that_asked(self) -> None:
        self.users.take("/home", ["adm"])
        user = self.successResultOf(self.users.take("/home", []))
        assert user.switch is not None
        self.assertNotIn(grp.getgrnam("adm").gr_gid, user.switch[2])
