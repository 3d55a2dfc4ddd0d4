"""What one run has of the machine beside its processes: a folder, a user, and folders of its own in shared places."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tcworker.engine.attached import Attachments
from tcworker.engine.native.folder import make_beside, make_folder, remove_folder
from tcworker.engine.native.hold import held_by_another, let_go
from tcworker.engine.native.kill import kill_processes
from tcworker.engine.native.means import Means
from tcworker.engine.native.outside import remove_left_outside
from tcworker.engine.native.task_user import TaskUser
from tcworker.errors import ResourceUnavailable, TaskError
from tcworker.interfaces import ITaskContext
from tcworker.launcher.namespace import folders_on_disk
from tcworker.task.outcome import full_disk, on_broken_disk
from tcworker.waiting import OneShot, whatever_happens

_CREDENTIALS = "task-user-credentials.json"
"""File in a run's folder (contracts of generic-worker, 2 and 7)."""


@dataclass(frozen=True)
class Home:
    """A run's place on this machine.

    @ivar folder: which the task starts in, its user's home.
    @ivar own: whether the user is the run's alone.
    @ivar private: holds the run's own /tmp and the like; C{None} if it sees those of the machine.
    @ivar scratch: a folder beside the run's, which nobody else can enter; C{None} if nothing needs one.
    """

    folder: str
    user: TaskUser
    own: bool
    private: str | None
    scratch: str | None = None

    @property
    def details(self) -> Mapping[str, Any]:
        """For a sandbox record: what it takes to remove all of it."""
        user = {"name": self.user.name, "uid": self.user.uid} if self.own else None
        return {"folder": self.folder, "private": self.scratch, "user": user}


async def make_home(means: Means, context: ITaskContext, groups: Sequence[str], attached: Attachments) -> Home:
    """Make a place for one run. Raises L{TaskError}, and leaves nothing behind then or when it is cancelled.

    @param groups: those of the machine that the user is a member of as well.
    @param attached: what will be put there.
    """
    try:
        folder = make_folder(means.tasks_dir, context.task_id, context.run_id)
    except OSError as error:
        raise _no_folder(means, error) from error
    try:
        user = await _take_user(means, folder, groups)
    except BaseException:
        remove_folder(folder)
        raise
    try:
        return _furnish(means, folder, user, scratch=bool(attached))
    except BaseException as error:
        await whatever_happens(means.threads.run(remove_home, means, Home(folder, user, means.users.own, None)))
        if isinstance(error, OSError):
            raise _no_folder(means, error) from error
        raise


def remove_home(means: Means, home: Home) -> None:
    """Let nothing be left of a run that is over. Blocks, for threads. Raises what is left last, after the rest."""
    if not means.clean_up:
        _keep(home)
        return
    with _removing(home.scratch, home.folder):
        means.users.give_back(home.user)


def remove_left_home(means: Means, details: Mapping[str, Any]) -> None:
    """Let nothing be left of a dead worker's run; see L{remove_home}.

    @param details: those of its sandbox record.
    """
    # Nobody else has what it names, and another task may be about to want a cache there.
    with ExitStack() as afterwards:
        afterwards.callback(_remove_left, means, details)
        if (scratch := details.get("private")) is not None:
            remove_left_outside(scratch)


def _remove_left(means: Means, details: Mapping[str, Any]) -> None:
    # Where workers share a folder of tasks, another one may have a run of this name by now.
    if not means.clean_up or held_by_another(details["folder"]):
        return
    with _removing(details.get("private"), details["folder"]):
        if user := details.get("user"):
            means.own_users.remove_left(user["name"], user["uid"], details["folder"])


@contextmanager
def _removing(private: str | None, folder: str) -> Iterator[None]:
    """Remove a run's folders after its user, who could go on filling them; each, whatever fails before it."""
    with ExitStack() as afterwards:
        afterwards.callback(remove_folder, folder)
        if private is not None:
            afterwards.callback(remove_folder, private)
        yield


def write_credentials(means: Means, home: Home) -> tuple[str, str]:
    """Let the run's user log in, and say how in a file for a task that runs as somebody else.

    @return: the file's path, and the password, which no log may show.
    @raise InternalError: it cannot. C{OSError}: the file cannot be written. Blocks, for threads.
    """
    password = means.own_users.new_password(home.user)
    path = os.path.join(home.folder, _CREDENTIALS)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"name": home.user.name, "password": password}, file)
    return path, password


def _furnish(means: Means, folder: str, user: TaskUser, scratch: bool) -> Home:
    private = means.private_tmp and means.users.own
    beside = make_beside(folder, folders_on_disk() if private else []) if private or scratch else None
    if user.owner is not None:
        os.chown(folder, *user.owner, follow_symlinks=False)
    return Home(folder, user, means.users.own, beside if private else None, beside)


async def _take_user(means: Means, folder: str, groups: Sequence[str]) -> TaskUser:
    taken: OneShot[TaskUser] = OneShot()
    means.users.take(folder, groups).addBoth(taken.settle)
    try:
        return await taken.wait()
    except CancelledError:
        # It is being made all the same.
        await whatever_happens(Deferred.fromCoroutine(_give_back(means, taken)))
        raise


async def _give_back(means: Means, taken: OneShot[TaskUser]) -> None:
    user = await taken.wait()
    await means.threads.run(means.users.give_back, user)


def _keep(home: Home) -> None:
    """Leave all as it is, for people to look at, without anything that lives."""
    if home.own:
        kill_processes(home.user.uid)
    for folder in filter(None, (home.scratch, home.folder)):
        let_go(folder)


def _no_folder(means: Means, error: OSError) -> TaskError:
    why = f"no folder for the task can be made in {means.tasks_dir}: {error.strerror}"
    if full_disk(error):
        return ResourceUnavailable.no_disk(why, means.tasks_dir, error)
    # It is so for any task: who went on claiming would spoil all there are.
    return on_broken_disk(why, means.tasks_dir, str(error.strerror))
