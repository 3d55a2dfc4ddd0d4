"""A Taskcluster and a worker of it, in one process and one temporary folder, for as long as some tasks take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tcworker.assemble import new_worker
from tcworker.client.http import HTTP
from tcworker.client.services import Queue
from tcworker.config import Source, usual_tasks_dir
from tcworker.deployment import WORKER_GROUP, Deployment, worker_id
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.interfaces import IFeature
from tcworker.local_run.definitions import PROVISIONER_ID, WORKER_TYPE, LocalTask
from tcworker.local_run.kept import state_dir_in
from tcworker.worker import Worker

SETTINGS = TaskclusterSettings(times=Times(deadline_delay=1, dependencies=0.02), in_memory=True)
"""Nobody waits here for the sake of a large deployment."""

CLOSE_SECONDS = 1.0
"""What tasks have to end when nothing of them matters any more."""

CACHES_MEGABYTES = 20 * 1024
"""What is kept for later runs at the most."""

OF_ONE_USER = frozenset({"HOME", "USER", "LOGNAME", "MAIL", "SHELL", "TMPDIR", "XDG_RUNTIME_DIR"})
"""Variables of a terminal that are wrong for any other user."""


class LocalDeployment(Deployment):
    """All that tasks need to run, with the worker on the other side of real HTTP.

    @param folder: an empty one.
    @param kept: where the worker keeps what it knows, caches above all; the same one if nothing is to stay.
    @param task_users: whether each task has a user of its own, which only root can give it.
    @param features: those that the worker has beside its own.
    @ivar queue: signs as somebody who may do everything; once L{start} is done.
    @ivar http: what it speaks through.
    @ivar worker: to be started with L{start_worker}.
    """

    queue: Queue
    http: HTTP
    worker: Worker

    def __init__(
        self,
        reactor: Any,
        folder: str,
        *,
        kept: str,
        capacity: int,
        task_users: bool,
        features: Sequence[IFeature],
    ) -> None:
        taskcluster = Taskcluster(reactor, os.path.join(folder, "taskcluster"), SETTINGS)
        super().__init__(taskcluster, CLOSE_SECONDS, "the command ends")
        self._reactor = reactor
        self._kept = kept
        self._capacity = capacity
        self._task_users = task_users
        self._features = features

    async def start(self) -> None:
        """Start the Taskcluster, and make a worker that does not run yet."""
        root_url = await self.start_taskcluster()
        credentials = self._taskcluster.root_credentials
        self.http = HTTP(self._reactor)
        self.at_end(self.http.close)
        self.queue = Queue(self.http, root_url, lambda: credentials, self._reactor)
        self.worker = new_worker(self._reactor, [self._settings(root_url)], self._features)

    def start_worker(self) -> None:
        """Let the worker claim."""
        self.run_worker(self.worker)

    async def drain(self) -> None:
        """Let the worker do and publish all that it began, and stop."""
        self.worker.drain("the tasks are done")
        await self.until_stopped(self.worker)

    def canceled(self, tasks: Sequence[LocalTask]) -> None:
        """Tell the worker that tasks are cancelled: it would notice when it next renews a claim, which is too late."""
        for task in tasks:
            self.worker.canceled(task.task_id)

    def _settings(self, root_url: str) -> Source:
        credentials = self._taskcluster.root_credentials
        values = {
            "rootURL": root_url,
            "clientId": credentials.client_id,
            "accessToken": credentials.access_token,
            "provisionerId": PROVISIONER_ID,
            "workerType": WORKER_TYPE,
            "workerGroup": WORKER_GROUP,
            "workerId": worker_id(),
            "capacity": self._capacity,
            # Who tries a task of his own wants it to see what he sees.
            "taskUsers": self._task_users,
            # On the disk of the caches, from which they come then at once.
            "tasksDir": usual_tasks_dir(self._task_users, self._kept),
            "stateDir": state_dir_in(self._kept),
            # A task of somebody's own may have the last byte of his disk.
            "requiredDiskSpaceMegabytes": 0,
            # But not for what nobody may ever use again.
            "cachesMaxMegabytes": CACHES_MEGABYTES,
            # Whoever runs a task again whose command was killed means it.
            "crashPauseSecs": 0,
            # The folder in which somebody works is not the place for a file of the worker.
            "enableMetadata": False,
            "inheritEnv": sorted(filter(self._inherits, os.environ)),
        }
        return Source("tcworker run", values)

    def _inherits(self, name: str) -> bool:
        # Not those that say which Taskcluster one works with: the task's is the one here.
        return not (name.startswith("TASKCLUSTER_") or (self._task_users and name in OF_ONE_USER))
