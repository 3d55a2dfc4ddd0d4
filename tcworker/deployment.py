"""A Taskcluster and a worker of it in one process: how they start, and in which order they end."""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.defer import maybeDeferred

from tcworker.embedded.taskcluster import Taskcluster
from tcworker.worker import Worker

WORKER_GROUP = "local"


def worker_id() -> str:
    """Name a worker after its machine; a worker's id may not have what a host's name may, a dot mostly."""
    return re.sub("[^a-zA-Z0-9_-]", "-", socket.gethostname())[:38] or "local"


class Deployment:
    """A Taskcluster, and a worker that starts after it and ends before it.

    @param grace: seconds that running tasks have when everything ends; C{None} for what the worker's settings say.
    @param why: is said of that end.
    """

    def __init__(self, taskcluster: Taskcluster, grace: float | None, why: str) -> None:
        self._taskcluster = taskcluster
        self._grace = grace
        self._why = why
        self._closers: list[Callable[[], Awaitable[Any] | None]] = []

    def at_end(self, close: Callable[[], Awaitable[Any] | None]) -> None:
        """Have something called by L{stop}, before what was started before."""
        self._closers.append(close)

    async def start_taskcluster(self) -> str:
        """Start the Taskcluster, and give its root URL. Raises what L{Taskcluster.when_listening} fails with."""
        # Before it starts, so that one that fails halfway is stopped too; likewise below.
        self.at_end(self._taskcluster.stopService)
        self._taskcluster.startService()
        return await self._taskcluster.when_listening()

    def run_worker(self, worker: Worker) -> None:
        """Let a worker claim until L{stop}."""
        self.at_end(partial(self._stop_worker, worker))
        worker.startService()

    async def until_stopped(self, worker: Worker) -> None:
        """Wait until a worker that was told to go is gone. Raises why it could not start."""
        await self._taskcluster.end_polls_until(worker.when_stopped())

    async def stop(self) -> None:
        """Stop all there is, whatever it is doing; what was started last first."""
        while self._closers:
            await maybeDeferred(self._closers.pop())

    async def _stop_worker(self, worker: Worker) -> None:
        worker.stop_now(self._grace, self._why)
        # Why it could not start was told to those who waited for it, or for its tasks.
        await self._taskcluster.end_polls_until(worker.when_stopped()).addErrback(lambda _: None)
        await worker.stopService()
