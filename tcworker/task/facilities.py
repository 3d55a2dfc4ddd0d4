"""What all runs of one worker share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime

from tcworker.client.http import HTTP
from tcworker.client.services import Queue
from tcworker.config import Config
from tcworker.errors import MalformedPayload, TaskError
from tcworker.feature.registry import FeatureSet
from tcworker.interfaces import JSON, Credentials, IPlatform, QueueCalls
from tcworker.state import RunStore
from tcworker.task.claim import Claim
from tcworker.task.context import MOST_UPLOADS, IRunContext, TaskContext
from tcworker.task.log import TaskLog
from tcworker.task.log_names import LOGS_SCHEMA
from tcworker.task.payload import PayloadSchema
from tcworker.waiting import Executor


@dataclass
class Facilities:
    """The parts of a booted worker that a run uses, and the run's own made from them.

    @ivar schemas: the payload's schema for each platform, by the platform's name.
    """

    config: Config
    clock: IReactorTime
    http: HTTP
    threads: Executor
    state: RunStore
    platforms: Sequence[IPlatform]
    features: FeatureSet
    uploads: DeferredSemaphore = field(default_factory=lambda: DeferredSemaphore(MOST_UPLOADS))

    def __post_init__(self) -> None:
        self.schemas: Mapping[str, PayloadSchema] = {
            platform.name: PayloadSchema({platform.name: platform.schema, "logs": LOGS_SCHEMA, **self.features.schemas})
            for platform in self.platforms
        }

    def platform_for(self, payload: JSON) -> IPlatform:
        """The platform that is to run a payload. L{MalformedPayload} if there is none, or its schema is not met."""
        for platform in self.platforms:
            if len(self.platforms) == 1 or platform.accepts(payload):
                self.schemas[platform.name].check(payload)
                return platform
        names = ", ".join(platform.name for platform in self.platforms)
        raise MalformedPayload(f"payload: none of this worker's platforms ({names}) can run it")

    def new_queue(self, credentials: Callable[[], Credentials]) -> QueueCalls:
        """A queue that signs with what C{credentials} gives at each call."""
        return Queue(self.http, self.config.root_url, credentials, self.clock)

    def folder_of(self, claim: Claim) -> str:
        """Where the worker keeps what it needs for a run."""
        return os.path.join(self.config.state_dir, "runs", f"{claim.task_id}-{claim.run_id}")

    def new_log(self, folder: str, broken: Callable[[TaskError], None]) -> TaskLog:
        """The log of a run; C{broken} is told when it cannot be written."""
        limit = self.config.logs_max_megabytes * 1_000_000
        return TaskLog(folder, self.clock, self.threads, limit=limit, broken=broken)

    def new_context(
        self,
        claim: Claim,
        folder: str,
        log: TaskLog,
        fail: Callable[[TaskError], None],
        time_left: Callable[[], float],
    ) -> IRunContext:
        """A run as platforms and features see it."""
        return TaskContext(
            claim,
            clock=self.clock,
            config=self.config,
            http=self.http,
            folder=folder,
            log=log,
            threads=self.threads,
            fail=fail,
            time_left=time_left,
            uploads=self.uploads,
        )
