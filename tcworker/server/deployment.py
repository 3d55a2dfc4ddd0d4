"""A Taskcluster and a worker of it, in one process and one folder."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from tcworker.assemble import new_worker
from tcworker.config import Config
from tcworker.deployment import Deployment
from tcworker.embedded.outbox import Message
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.interfaces import Credentials
from tcworker.server.live_log_feature import LiveLogFeature
from tcworker.server.live_log_resource import PREFIX, LiveLogs
from tcworker.server.options import ServerOptions
from tcworker.server.worker import new_client
from tcworker.server.worker import settings as worker_settings
from tcworker.task.resolution import CANCELED
from tcworker.task.run_status import decision_of_queue
from tcworker.worker import Worker


class ServerDeployment(Deployment):
    """All that a server consists of. Raises L{ConfigError} for a broker's URL that cannot be.

    @param settings: of the Taskcluster; its worker is made known to it here.
    @param folder: an absolute path.
    @ivar worker: once L{start_worker} was called.
    @ivar grace: seconds that running tasks have when everything ends; none before there can be any.
    """

    worker: Worker | None = None
    grace: float = 0

    def __init__(self, reactor: Any, options: ServerOptions, settings: TaskclusterSettings, folder: str) -> None:
        self._reactor = reactor
        self._options = options
        self._client = new_client(options.pool)
        self._folder = os.path.join(folder, "worker")
        self._logs = LiveLogs(self._folder, reactor)
        if options.worker:
            settings = replace(settings, static_clients=[*settings.static_clients, self._client])
        taskcluster = Taskcluster(reactor, folder, settings, mounts={PREFIX: self._logs})
        super().__init__(taskcluster, None, "the server ends")

    @property
    def credentials(self) -> Credentials:
        """Those of the client who may do everything; once it listens."""
        return self._taskcluster.root_credentials

    @property
    def port(self) -> int:
        """At which it listens."""
        return self._taskcluster.port

    def start_worker(self) -> Worker:
        """Make a worker and let it claim. Raises L{ConfigError} for its settings."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        sources = worker_settings(self._options, self._folder, self._taskcluster.root_url, self._client)
        live_log = LiveLogFeature(self._logs, self._taskcluster.root_url)
        self.worker = new_worker(self._reactor, sources, [live_log])
        self.at_end(self._logs.stop)
        self.at_end(self._taskcluster.outbox.listen(self._happened))
        self.run_worker(self.worker)
        # Why it could not boot is told to others.
        self.worker.when_booted().addCallbacks(lambda config: self._booted(config, live_log), lambda _: None)
        return self.worker

    def _booted(self, config: Config, live_log: LiveLogFeature) -> None:
        self.grace = config.shutdown_grace_secs
        live_log.enabled = config.enable_live_log

    def _happened(self, message: Message) -> None:
        """Tell the worker of a cancellation, for which it would else have to ask."""
        if self.worker is None or message.exchange != "task-exception" or "runId" not in message.payload:
            return
        status = message.payload["status"]
        if decision_of_queue(status, message.payload["runId"]) == CANCELED:
            self.worker.canceled(status["taskId"])

    def hurry(self, seconds: float) -> None:
        """Let running tasks have no more than so many seconds, if the end of the server has begun."""
        if self.worker is not None:
            self.worker.stop_now(seconds, "asked twice")
