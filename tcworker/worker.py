"""The worker: one service, to be added to an application or to any other C{MultiService}."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from tcworker import __version__
from tcworker.cache.collector_service import CollectorService
from tcworker.cache.homes import Home
from tcworker.cache.last_look import StateLastLook
from tcworker.cache.opening import OpenedCaches
from tcworker.cache.places import Places
from tcworker.cache.purge_requests import PurgeRequests
from tcworker.cache.purging import PurgeService
from tcworker.cache.store import CacheStore
from tcworker.claims.cancellations import CancellationService
from tcworker.claims.crashes import Crashes, Pause
from tcworker.claims.grace import CLOSING
from tcworker.claims.left_folders import remove_unknown
from tcworker.claims.recovery import Recovery
from tcworker.claims.service import ClaimService
from tcworker.client.http import HTTP
from tcworker.client.server_time import ServerTime
from tcworker.client.services import PurgeCache
from tcworker.clocks import steady_seconds, wall_seconds
from tcworker.config import Config
from tcworker.config_without_effect import WITHOUT_EFFECT
from tcworker.control.caches import CacheOrders
from tcworker.control.service import ControlService
from tcworker.download.downloads import OpenDownloads
from tcworker.errors import StateDirectoryTaken
from tcworker.feature.registry import FeatureSet
from tcworker.host.service import HostService
from tcworker.interfaces import JSON, Exit, IFeature, IHost, IPlatform, ITaskContext, Notice, ProcessStatus, Unsubscribe
from tcworker.state import RunRecord, StateStore
from tcworker.task.facilities import Facilities
from tcworker.waiting import OneShot, Threads
from tcworker.watch.clock import ClockWatch
from tcworker.watch.disks import MEGABYTE
from tcworker.watch.health import Health
from tcworker.watch.limits import check_process_limits

LEAST = 0.5
"""Seconds that each step of closing has: what hangs must not keep the process from ending."""

FILE_THREADS = 4
SPARE_CONNECTIONS = 14
"""Kept open beside one for each slot: ten uploads, and a few calls that are made meanwhile."""

_log = Logger()


@dataclass(frozen=True)
class Parts:
    """What the configuration names, made."""

    platforms: Sequence[IPlatform]
    features: Sequence[IFeature]


class Worker(MultiService):
    """Claims tasks and runs them, from C{startService} until it is told to go.

    It touches nothing that is not its own: no signal, no global, no log observer. L{tcworker.assemble.new_worker} makes
    one from a configuration.

    @ivar health: what is looked at to say whether the worker is well.
    @param configure: makes the configuration of what the host said; raises L{ConfigError}.
    @param assemble: makes the parts that the configuration names; raises L{ConfigError}.
    """

    def __init__(
        self,
        reactor: Any,
        host: IHost,
        configure: Callable[[Mapping[str, Any]], Config],
        assemble: Callable[[Config], Parts],
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._assemble = assemble
        self._closers: list[tuple[str, Callable[[], Deferred[None]]]] = []
        self._config: Config | None = None
        self._leaves_host = True
        self._caches_opened: OneShot[None] = OneShot()
        self._unsubscribe: Unsubscribe = _nothing
        self._host = HostService(reactor, host, configure)
        self._host.setServiceParent(self)
        self._claims = ClaimService(reactor, self._host, self._boot, self._close)
        self._claims.setServiceParent(self)
        self.health: Health = self._claims.health
        ClockWatch(reactor, self._claims.look_again).setServiceParent(self)

    def startService(self) -> None:
        """Boot and claim; L{when_booted} and L{when_stopped} say how that goes."""
        # First, for a notice may already be known: then nothing is to boot.
        self._unsubscribe = self._host.on_shutting_down(self._noticed)
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Stop within the seconds that the configuration gives (C{shutdownGraceSecs}); fires when nothing is left."""
        self.stop_now(None, "the service is being stopped")
        return self._claims.when_stopped().addBoth(lambda _: self._stop_children())

    def _stop_children(self) -> Deferred[None]:
        self._unsubscribe()
        stopped: Deferred[None] = super().stopService()
        return stopped

    def drain(
        self, why: str = "asked to", exit_status: int = ProcessStatus.INTERRUPTED, *, seconds: float | None = None
    ) -> None:
        """Take no more tasks, and stop when the running ones are done.

        @param seconds: in which the worker must be gone all the same: what runs is ended while there is time to.
        """
        self._claims.drain(seconds, Exit(exit_status, why))

    def stop_now(self, seconds: float | None = None, why: str = "asked to") -> None:
        """End the running tasks as C{worker-shutdown}, and stop.

        @param seconds: in which that must be done; C{None} for those of the configuration.
        """
        self._claims.shut_down(seconds, Exit(ProcessStatus.SHUTDOWN, why))

    def canceled(self, task_id: str) -> None:
        """Say that the queue cancelled a task, should that be known before the worker has heard or asked."""
        self._claims.canceled(task_id)

    def when_booted(self) -> Deferred[Config]:
        """Fire with the configuration when the worker begins to claim; fails with what prevents that."""
        return self._claims.when_booted()

    def when_stopped(self) -> Deferred[Exit]:
        """Fire when the last run is over and all is closed; fails with what prevented the boot."""
        return self._claims.when_stopped()

    def watch_deadline(self, call: Callable[[float], None]) -> None:
        """Be told in how many seconds the worker must be gone, once that is known, and again when they become less."""
        self._claims.watch_deadline(call)

    def watch_runs(self, call: Callable[[ITaskContext], None]) -> Unsubscribe:
        """Be told of each claimed run, before anything happens to it."""
        return self._claims.watch_runs(call)

    def status(self) -> JSON:
        """Say how the worker stands, as C{tcworker control status} prints it."""
        config, problems = self._config, self.health.problems
        who = {"taskQueueId": config.task_queue_id, "workerId": config.worker_id} if config else {}
        health = {"well": not problems, "problems": problems, "heldBack": self._claims.held_back or None}
        return {**self._claims.standing.as_json(), **health, **who, "pid": os.getpid(), "version": __version__}

    def _noticed(self, notice: Notice) -> None:
        if notice.graceful:
            self._claims.drain(notice.seconds_left, Exit(ProcessStatus.SHUTDOWN, notice.why))
        else:
            self._claims.shut_down(notice.seconds_left, Exit(ProcessStatus.SHUTDOWN, notice.why))

    def _boot(self) -> Deferred[Facilities]:
        return Deferred.fromCoroutine(self._prepare())

    async def _prepare(self) -> Facilities:
        config = await self._host.load()
        self._config = config
        self._claims.configured(config)
        check_process_limits(config)
        _say_what_has_no_effect(config)
        parts = self._assemble(config)
        self._closers.extend((platform.name, platform.dispose) for platform in parts.platforms)
        facilities = await self._open(config, parts)
        recovery = Recovery(facilities)
        facilities.publish_later = recovery.publish_later
        self._closers.append(("what a dead worker left", recovery.close))
        left = await facilities.state.runs()
        await self._look_back(facilities, left)
        sandboxes = [run.sandbox for run in left if run.sandbox is not None]
        for platform in parts.platforms:
            await platform.prepare([sandbox for sandbox in sandboxes if sandbox.platform == platform.name])
        await facilities.caches.open([Home.of_platform(platform) for platform in parts.platforms])
        self._caches_opened.succeed(None)
        self._look_after_disks(facilities)
        # Not before nothing of them lives here: what the queue is told of may begin elsewhere at once.
        await recovery.settle(left)
        self._listen(facilities)
        return facilities

    def _look_after_disks(self, facilities: Facilities) -> None:
        config, caches = facilities.config, facilities.caches
        most = config.caches_max_megabytes * MEGABYTE or None
        sweeps = [caches.sweep, *(platform.sweep for platform in facilities.platforms)]
        places, now = Places.of_config(config), facilities.time.seconds
        collector = CollectorService(self._reactor, facilities.threads, caches, places, most, now, sweeps)
        facilities.collector = collector
        self._add("looking after the disks", collector)

    async def _look_back(self, facilities: Facilities, left: Sequence[RunRecord]) -> None:
        """See what the worker before left and died of, and hold this one back if a task did that again."""
        config, threads = facilities.config, facilities.threads
        known = [facilities.folder_of(run.claim()) for run in left]
        await threads.run(remove_unknown, facilities.folder_of_runs, known)
        in_hand = [run.task_id for run in left if not run.reported]
        crashes = await threads.run(Crashes.look_back, config.state_dir, in_hand)
        self._closers.append(("the note of what is in hand", lambda: threads.run(crashes.ended_in_order)))
        if crashes.suspects:
            self._claims.hold_back(Pause(self._reactor, config.crash_pause_secs, crashes.suspicion).why_held)

    def _listen(self, facilities: Facilities) -> None:
        """Begin to hear of cancellations; nobody waits for the broker."""
        queue = facilities.new_queue(self._host.credentials)
        cancellations = CancellationService(self._reactor, facilities.config, queue, self._claims.hand)
        self._add("listening for cancellations", cancellations)

    async def _open(self, config: Config, parts: Parts) -> Facilities:
        state = await self._open_state(config.state_dir)
        self._closers.append(("the state store", state.close))
        threads = Threads(self._reactor, FILE_THREADS, "worker")
        self._closers.append(("the threads", threads.stop))
        connections = config.capacity + SPARE_CONNECTIONS
        http = HTTP(self._reactor, connections=connections, ca_bundle=config.ca_bundle, environ=os.environ)
        self._closers.append(("the connections", http.close))
        features = FeatureSet(parts.features)
        time = ServerTime(partial(wall_seconds, self._reactor), steady_seconds)
        downloads = OpenDownloads.open(self._reactor, http, config, os.environ)
        self._closers.append(("the downloads", downloads.close))
        caches = await OpenedCaches.open(self._reactor, config, state, time)
        self._closers.append(("the caches", caches.close))
        orders = CacheOrders(caches.store, self._caches_opened, threads)
        self._add("the control socket", ControlService(self._reactor, config.state_dir, self, orders))
        purging = self._heed_purges(config, http, state, time, caches.store)
        return Facilities(
            config,
            self._reactor,
            http,
            threads,
            state,
            parts.platforms,
            features,
            time,
            caches.store,
            downloads,
            purging.look,
        )

    def _heed_purges(
        self, config: Config, http: HTTP, state: StateStore, time: ServerTime, caches: CacheStore
    ) -> PurgeService:
        """Begin to ask what is to be purged."""
        service = PurgeCache(http, config.root_url, self._host.credentials, self._reactor, time=time)
        pool_id, last_look = config.task_queue_id, StateLastLook(state)
        requests = PurgeRequests(self._reactor, service, pool_id, time, caches, last_look)
        purging = PurgeService(self._reactor, requests, pool_id)
        self._add("looking for caches to purge", purging)
        return purging

    def _add(self, what: str, service: Service) -> None:
        """Let a service run until the worker closes."""
        service.setServiceParent(self)
        self._closers.append((what, lambda: maybeDeferred(service.disownServiceParent)))

    async def _open_state(self, folder: str) -> StateStore:
        try:
            return await StateStore.open(self._reactor, folder)
        except StateDirectoryTaken:
            # The host has a worker: the one that holds the folder. It must not lose its machine to this one.
            self._leaves_host = False
            raise

    def _close(self, exit: Exit) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close_all(exit))

    async def _close_all(self, exit: Exit) -> None:
        """Close what was opened, last first, whatever fails on the way."""
        # What prevented the boot is said by whoever waits for the end.
        if not self._claims.failed:
            _log.info("stopped: {why}", why=exit.why)
        until = self._reactor.seconds() + min(CLOSING, self._claims.seconds_left)
        if self._leaves_host:
            self._closers.append(("the host", lambda: self._host.leave(exit)))
        while self._closers:
            what, close = self._closers.pop()
            try:
                await close().addTimeout(max(LEAST, until - self._reactor.seconds()), self._reactor)
            except Exception:
                _log.failure("closing {what} failed", what=what)


def _nothing() -> None:
    pass


def _say_what_has_no_effect(config: Config) -> None:
    for name in config.ignored:
        _log.info("{name} has no effect here, because {reason}", name=name, reason=WITHOUT_EFFECT[name].reason)
