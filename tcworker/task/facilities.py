"""What all runs of one worker share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IReactorTime

from tcworker.amqp.address import read_address
from tcworker.cache.collector_service import CollectorService
from tcworker.cache.places import Pressure, is_on_disk_of
from tcworker.cache.run_caches import Upkeep
from tcworker.cache.store import CacheStore
from tcworker.causes import Cause
from tcworker.client.http import HTTP
from tcworker.client.server_time import ServerTime
from tcworker.client.services import Queue, as_usual
from tcworker.config import Config
from tcworker.download.downloads import Downloads
from tcworker.errors import TaskError
from tcworker.feature.registry import FeatureSet
from tcworker.interfaces import Credentials, IPlatform, QueueCalls, RoomMade
from tcworker.state import RunRecord, RunStore
from tcworker.task.acceptance import Acceptance
from tcworker.task.claim import Claim
from tcworker.task.context import MOST_UPLOADS, IRunContext, TaskContext
from tcworker.task.haste import Haste
from tcworker.task.log import TaskLog
from tcworker.task.log_raw import RawLog
from tcworker.task.log_record import LogRecord, RecordFile
from tcworker.task.masks import LogMasks
from tcworker.task.secret_forms import forms_of, forms_of_credentials
from tcworker.task.speed import Speed
from tcworker.waiting import Executor


def _no_purges() -> Deferred[None]:
    """Nobody is asked."""
    return succeed(None)


def _leave(record: RunRecord) -> None:
    """To the next start."""


@dataclass
class Facilities:
    """The parts of a booted worker that a run uses, and the run's own made from them.

    @ivar time: of Taskcluster, by which claims and deadlines end.
    @ivar heed_purges: has thrown away of the caches what Taskcluster was asked to have purged.
    @ivar collector: makes room on disks, where something is kept that can be thrown away.
    @ivar publish_later: takes on a run that is over, with what of its log and verdict is not where it belongs; without
        it the next start does.
    @ivar acceptance: says which platform runs a payload.
    """

    config: Config
    clock: IReactorTime
    http: HTTP
    threads: Executor
    state: RunStore
    platforms: Sequence[IPlatform]
    features: FeatureSet
    time: ServerTime
    caches: CacheStore
    downloads: Downloads
    heed_purges: Callable[[], Deferred[None]] = field(default=_no_purges)
    collector: CollectorService | None = None
    publish_later: Callable[[RunRecord], None] = field(default=_leave)
    uploads: DeferredSemaphore = field(default_factory=lambda: DeferredSemaphore(MOST_UPLOADS))

    def __post_init__(self) -> None:
        self.acceptance = Acceptance(self.config, self.platforms, self.features.schemas)
        self._speed = Speed(self.time.steady)
        self._masks = LogMasks.from_config(self.config.logs_mask)
        self.mask_credentials(self.config.credentials)
        if self.config.pulse is not None:
            self._masks.add(forms_of(read_address(self.config.pulse).password))

    def mask_credentials(self, credentials: Credentials) -> None:
        """Mask credentials of the worker's own in the logs of all runs to come."""
        self._masks.add(forms_of_credentials(credentials))

    def note_cause(self, cause: Cause) -> None:
        """Be told why a run ends: where it had no room on a disk, the next one shall have some."""
        if cause is Cause.NO_DISK and self.collector is not None:
            self.collector.begin_to_make_room(Pressure.FULL)

    def new_queue(
        self, credentials: Callable[[], Credentials], silence: Callable[[float], float] = as_usual
    ) -> QueueCalls:
        """A queue that signs with what C{credentials} gives at each call; C{silence} as L{Queue} has it."""
        return Queue(self.http, self.config.root_url, credentials, self.clock, time=self.time, silence=silence)

    def folder_of(self, claim: Claim) -> str:
        """Where the worker keeps what it needs for a run."""
        return os.path.join(self.folder_of_runs, f"{claim.task_id}-{claim.run_id}")

    @property
    def folder_of_runs(self) -> str:
        """Holds all of those, and nothing else."""
        return os.path.join(self.config.state_dir, "runs")

    @property
    def folder_of_kept_logs(self) -> str:
        """Holds folders of dead workers' runs whose logs nobody may publish, until somebody removes them by hand."""
        return os.path.join(self.config.state_dir, "kept-logs")

    def new_log(self, claim: Claim, folder: str, broken: Callable[[TaskError], None]) -> TaskLog:
        """The log of a run; C{broken} is told when it cannot be written."""
        limit = self.config.logs_max_megabytes * 1_000_000
        masks = self._masks.with_own(forms_of_credentials(claim.credentials))
        known = LogRecord(limit, claim.expires, patterns=list(masks.patterns), literals=masks.literals)
        record = RecordFile.begin(folder, known, self.threads)
        return TaskLog(folder, self.clock, self.threads, limit=limit, broken=broken, masks=masks, record=record)

    def left_log(self, claim: Claim, left: LogRecord, folder: str) -> TaskLog:
        """The log that a dead worker left of a run, open again. Raises L{RecordUnreadable}, L{ResourceUnavailable}."""
        masks = left.masks(self._masks.with_own(forms_of_credentials(claim.credentials)))
        return TaskLog(
            folder,
            self.clock,
            self.threads,
            limit=left.limit,
            broken=_ignore,
            masks=masks,
            record=RecordFile(folder, self.threads),
            opening=RawLog.left,
        )

    def new_haste(self, all_left: Callable[[], float]) -> Haste:
        """The time of a run's uploads; C{all_left} gives the seconds for all of them."""
        return Haste(self.time.steady, self._speed, all_left)

    def new_context(
        self,
        claim: Claim,
        folder: str,
        log: TaskLog,
        fail: Callable[[TaskError], None],
        haste: Haste,
    ) -> IRunContext:
        """A run as platforms and features see it."""
        upkeep = Upkeep(self.heed_purges, self._make_more_room)
        return TaskContext(
            claim,
            clock=self.clock,
            config=self.config,
            http=self.http,
            time=self.time,
            folder=folder,
            log=log,
            threads=self.threads,
            fail=fail,
            haste=haste,
            uploads=self.uploads,
            caches=lambda platform: self.caches.for_run(claim.name, platform, upkeep),
            downloads=self.downloads,
        )

    def _make_more_room(self, full: str | None) -> Deferred[RoomMade]:
        return Deferred.fromCoroutine(self._make_more_room_on(full))

    async def _make_more_room_on(self, full: str | None) -> RoomMade:
        kept_in = [self.config.caches_dir, self.config.downloads_dir]
        if self.collector is None or not (full is None or await self.threads.run(is_on_disk_of, full, kept_in)):
            return RoomMade.NONE
        return await self.collector.make_room(Pressure.MORE)


def _ignore(error: TaskError) -> None:
    """Of a run that is over nothing is to be ended."""
