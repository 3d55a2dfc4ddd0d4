"""A run's place on the machine."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed

from tcworker.engine.attached import Attachments
from tcworker.engine.native import home
from tcworker.engine.native.folder import remove_folder
from tcworker.engine.native.home import make_home, remove_left_home
from tcworker.engine.native.means import Means
from tcworker.engine.native.platform import NativePlatform
from tcworker.engine.native.task_user import TaskUser
from tcworker.errors import Cause, InternalError, ResourceUnavailable
from tcworker.testing.context import FakeTaskContext
from tests.engine.native.folder_case import FolderCase
from tests.engine.native.harness import exists, names_in, new_config


class HomeCase(FolderCase):
    """With a platform that has started nothing."""

    timeout = 30

    def means(self, **settings: Any) -> Means:
        platform = NativePlatform(reactor, new_config(self.parent, **settings))
        self.addCleanup(platform.dispose)
        return platform._means


class MakeTests(HomeCase):
    """All of it, or nothing."""

    def make_home(self, means: Means) -> Deferred[Any]:
        return Deferred.fromCoroutine(make_home(means, FakeTaskContext(reactor), [], Attachments()))

    async def test_a_folder_that_cannot_be_its_users(self):
        means = self.means()
        stranger = TaskUser("stranger", (4711, 4711, ()))
        self.patch(means.users, "take", lambda *_: succeed(stranger))

        def refuse(*arguments: object, **options: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        self.patch(os, "chown", refuse)
        with self.assertRaises(InternalError) as caught:
            await self.make_home(means)
        self.assertIn(f"can be made in {self.parent}: Operation not permitted", str(caught.exception))
        self.assertEqual(names_in(self.parent), [])

    async def test_a_disk_that_is_full_or_broken(self):
        """The one is the run's bad luck, the other the worker's fault, who would spoil each task that there is."""
        means = self.means()
        for number, kind, cause in (
            (errno.ENOSPC, ResourceUnavailable, Cause.NO_DISK),
            (errno.EDQUOT, ResourceUnavailable, Cause.NO_DISK),
            (errno.EIO, InternalError, Cause.WORKER_FAULT),
            (errno.EROFS, InternalError, Cause.WORKER_FAULT),
            (errno.ENOENT, InternalError, Cause.WORKER_FAULT),
        ):

            def refuse(*_: object, number: int = number) -> None:
                raise OSError(number, os.strerror(number))

            self.patch(home, "make_folder", refuse)
            with self.assertRaises(kind) as caught:
                await self.make_home(means)
            self.assertEqual(caught.exception.cause, cause)
            self.assertIn(f"can be made in {self.parent}: {os.strerror(number)}", str(caught.exception))
            self.assertEqual(caught.exception.evidence, {"path": self.parent, "error": os.strerror(number)})

    async def test_no_user(self):
        means = self.means()
        self.patch(means.users, "take", lambda *_: fail(ResourceUnavailable("none")))
        with self.assertRaises(ResourceUnavailable):
            await self.make_home(means)
        self.assertEqual(names_in(self.parent), [])


class LeftTests(HomeCase):
    """By a record."""

    def test_a_folder_whose_name_another_worker_has_now(self):
        path, _ = self.make_elsewhere()
        remove_left_home(self.means(), {"folder": path})
        self.assertTrue(exists(path))

    def test_a_folder_that_a_dead_worker_held(self):
        path = self.make_left()
        remove_left_home(self.means(), {"folder": path})
        self.assertFalse(exists(path))

    def test_one_that_cannot_go_does_not_keep_the_other(self):
        path, private = self.make_left(), self.make_left("private")

        def refuse(folder: str) -> None:
            if folder == private:
                raise OSError(errno.EBUSY, "Device or resource busy", folder)
            remove_folder(folder)

        self.patch(home, "remove_folder", refuse)
        self.assertRaises(OSError, remove_left_home, self.means(), {"folder": path, "private": private})
        self.assertFalse(exists(path))
