"""C{tcworker run FILE…} from its options to its exit status."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from twisted.internet.defer import CancelledError, Deferred, DeferredList, FirstError
from twisted.logger import Logger

from tcworker.config import usual_tasks_dir
from tcworker.errors import ConfigError, StateUnusable, TaskclusterError
from tcworker.interfaces import Exit, IFeature
from tcworker.local_run.artifacts import Downloads
from tcworker.local_run.checkout import CheckoutFeature
from tcworker.local_run.closing import Closing
from tcworker.local_run.definitions import LocalTask, make_tasks
from tcworker.local_run.deployment import LocalDeployment
from tcworker.local_run.files import UnusableFiles, read_files
from tcworker.local_run.group import Group
from tcworker.local_run.kept import KeptFolder, KeptInUse, KeptUnusable, usual_folder
from tcworker.local_run.outcomes import EXCEPTION, UNUSABLE, exit_status
from tcworker.local_run.output import YELLOW, Output
from tcworker.local_run.witness import WitnessFeature
from tcworker.waiting import Loose, Threads, now

_log = Logger()


@dataclass(frozen=True)
class RunOptions:
    """What the command line says.

    @ivar params: for JSON-e.
    @ivar artifacts: a folder; C{None} for a new one.
    @ivar checkout: a folder of which each task gets a copy.
    @ivar caches: a folder in which caches are kept; C{None} for the user's usual one.
    @ivar task_users: whether each task has a user of its own.
    """

    files: Sequence[str]
    params: Mapping[str, str] = field(default_factory=dict)
    capacity: int = 1
    artifacts: str | None = None
    checkout: str | None = None
    caches: str | None = None
    task_users: bool = False
    verbose: bool = False


class WorkerStopped(Exception):
    """The worker stopped before the tasks were resolved."""


class RunCommand:
    """One run of the command.

    @param stream: where logs and last lines go.
    @param colours: whether it shows colours.
    @ivar abandoned: whether it was told to end at once.
    """

    abandoned = False

    def __init__(self, reactor: Any, options: RunOptions, stream: BinaryIO, colours: bool) -> None:
        self._reactor = reactor
        self._options = options
        self._files = Threads(reactor, 1, "files")
        self._printing = Threads(reactor, 1, "printing")
        self._output = Output(stream, colours=colours, threads=self._printing, broken=self.interrupt)
        self._cancel: Callable[[], Deferred[None]] | None = None
        self._loose = Loose(_log)
        self._interrupted = False

    def run(self) -> Deferred[int]:
        """Do all of it; fires with the status to exit with. To be called once."""
        self._running = Deferred.fromCoroutine(self._run())
        return self._running

    def interrupt(self) -> None:
        """Cancel the tasks, whose logs are still published; the second time end at once."""
        # Before there is anything to cancel, the first time is as good as the second.
        if self._cancel is None or self._interrupted:
            self.abandoned = True
            self._running.cancel()
            return
        self._interrupted = True
        self._output.say("Cancelling. Once more, to end at once.", YELLOW)
        self._loose.run(self._cancel(), "cancelling the tasks")

    async def _run(self) -> int:
        try:
            return await self._run_tasks(self._read())
        except UnusableFiles as error:
            print(error, file=sys.stderr)
            return UNUSABLE
        except CancelledError:
            # It was told to end at once; whoever did that knows why.
            return EXCEPTION
        except (ConfigError, TaskclusterError, StateUnusable, WorkerStopped, OSError) as error:
            print(f"tcworker run: {error}", file=sys.stderr)
            return EXCEPTION
        finally:
            # What is still to be printed may be the reason for the status.
            await self._output.flush()
            await self._files.stop()
            await self._printing.stop()

    def _read(self) -> Sequence[LocalTask]:
        faults = list(_faults(self._options))
        tasks: Sequence[LocalTask] = ()
        try:
            tasks = make_tasks(read_files(self._options.files, self._options.params), now(self._reactor))
        except UnusableFiles as error:
            faults.extend(error.faults)
        if faults:
            raise UnusableFiles(faults)
        return tasks

    async def _run_tasks(self, tasks: Sequence[LocalTask]) -> int:
        # One after the other, logs need no names in front.
        if len(tasks) > 1 and self._options.capacity > 1:
            self._output.tell_apart([task.name for task in tasks])
        kept = await self._take_kept()
        folder = tempfile.mkdtemp(prefix="tcworker-run-")
        group = Group(self._reactor, tasks, self._output)
        deployment = self._deployment(folder, kept, group)
        try:
            await deployment.start()
            await group.create(deployment.queue)
            return await self._follow(tasks, group, deployment)
        finally:
            await self._loose.cancel()
            await deployment.stop()
            await self._files.run(shutil.rmtree, folder, True)
            if kept is not None:
                kept.give_up()

    async def _take_kept(self) -> KeptFolder | None:
        """Take the folder of caches; where that is not to be had, say so: no task is kept from running for that.

        Raises L{UnusableFiles} for one that was named and cannot be used.
        """
        path = self._options.caches or usual_folder(os.environ)
        try:
            return await KeptFolder.make_ready(self._reactor, self._files, path)
        except KeptInUse as error:
            why = str(error)
        except KeptUnusable as error:
            if self._options.caches is not None:
                raise UnusableFiles([f"{path}: caches cannot be kept there: {error}"]) from error
            why = str(error)
        self._output.say(f"Caches start empty, and are not kept: {why}", YELLOW)
        return None

    def _deployment(self, folder: str, kept: KeptFolder | None, group: Group) -> LocalDeployment:
        options = self._options
        features: list[IFeature] = [WitnessFeature(group.witness)]
        if options.checkout is not None:
            # Where users of tasks may pass, if there are any.
            checkout, scratch = os.path.abspath(options.checkout), usual_tasks_dir(options.task_users, folder)
            features.append(CheckoutFeature(self._files, checkout, scratch, for_others=options.task_users))
        return LocalDeployment(
            self._reactor,
            folder,
            kept=folder if kept is None else kept.path,
            capacity=options.capacity,
            task_users=options.task_users,
            features=features,
        )

    async def _follow(self, tasks: Sequence[LocalTask], group: Group, deployment: LocalDeployment) -> int:
        # The queue first: the worker must not report what the queue has not decided.
        self._cancel = lambda: group.cancel().addCallback(lambda _: deployment.canceled(tasks))
        downloads = Downloads(deployment.http, deployment.queue, self._files)
        closing = Closing(tasks, downloads, self._output, self._options.artifacts)
        deployment.worker.watch_runs(group.watch)
        deployment.start_worker()
        outcomes = group.until_resolved(closing.resolved)
        await _first_of(outcomes, deployment.worker.when_stopped().addCallback(self._check_end))
        status = exit_status(await outcomes)
        # Drained only then: a group may still have tasks that wait for others.
        await deployment.drain()
        await closing.worker_stopped()
        return status

    def _check_end(self, exit: Exit) -> None:
        # Interrupted, a worker may well end first: the queue is asked how its tasks did.
        if not self._interrupted:
            raise WorkerStopped(f"the worker stopped before the tasks were done: {exit.why}")


def _faults(options: RunOptions) -> Iterator[str]:
    if options.task_users and os.geteuid() != 0:
        yield "--task-users: only root can give tasks users of their own"
    if options.checkout is not None and not os.path.isdir(options.checkout):
        yield f"{options.checkout}: is no folder to check out"
    # After the tasks it would be too late to say.
    if options.artifacts is not None and (problem := _why_no_place(options.artifacts)):
        yield f"{options.artifacts}: artifacts cannot be put there: {problem}"
    if options.caches is not None and (problem := _why_no_place(options.caches)):
        yield f"{options.caches}: caches cannot be kept there: {problem}"


def _why_no_place(path: str) -> str | None:
    """Say what keeps a folder from being made, or files from being put into it."""
    there = os.path.abspath(path)
    # It is made with the first artifact: a command whose tasks never ran leaves no empty folder.
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    try:
        # Tried, for permissions do not tell of what is mounted read-only, nor of a full disk.
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        return f"{there}: {error.strerror}"
    return None


async def _first_of(*waiting: Deferred[Any]) -> None:
    """Return when one has fired; raise what one fails with."""
    try:
        await DeferredList(waiting, fireOnOneCallback=True, fireOnOneErrback=True, consumeErrors=True)
    except FirstError as error:
        error.subFailure.raiseException()
