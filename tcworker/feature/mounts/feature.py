"""Files, folders and caches of a task: C{mounts} (contracts of generic-worker, 1 and 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import MalformedPayload, TaskError
from tcworker.extract.extractor import ExtractionLimits, Extractors
from tcworker.feature.base import PrefixedLog, TaskFeature, require_scopes, switched_off
from tcworker.feature.mounts.cache_mount import CacheMount
from tcworker.feature.mounts.entry import Entry
from tcworker.feature.mounts.fetched import FileMount, FolderMount
from tcworker.feature.mounts.filling import Filler
from tcworker.feature.mounts.judging import judge
from tcworker.feature.mounts.keeping import is_published_from, why_not_kept
from tcworker.feature.mounts.mount import Means, Mount
from tcworker.feature.mounts.together import Together
from tcworker.interfaces import IEngine, IExecution, IFeature, IResult, ITaskContext, ITaskFeature, ScopeExpression
from tcworker.process import IReactor
from tcworker.task.mount_schema import MOUNTS_SCHEMA
from tcworker.task.outcome import join
from tcworker.waiting import ReactorThreads

_ARTIFACTS = "artifacts"


@implementer(IFeature)
class MountsFeature:
    """Puts in place what the payload lists, before the commands run.

    @param config: C{enable_mounts}, C{mounts_strict_read_only} and C{mounts_max_extracted_megabytes} are used.
    """

    name = "mounts"
    schema: Mapping[str, Any] = MOUNTS_SCHEMA

    def __init__(self, reactor: IReactor, config: Config) -> None:
        # What lies in caches is published before they are given back.
        self.after = (_ARTIFACTS,) if _ARTIFACTS in config.features else ()
        self._enabled = config.enable_mounts
        self._pool = config.task_queue_id
        self._strict = config.mounts_strict_read_only
        self._threads = ReactorThreads(reactor)
        self._extractors = Extractors(reactor, ExtractionLimits(megabytes=config.mounts_max_extracted_megabytes))

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        entries = [Entry.from_json(index, mount) for index, mount in enumerate(context.payload.get("mounts", []))]
        if not entries:
            return None
        if not self._enabled:
            raise switched_off("payload.mounts", self._pool, "enableMounts")
        if found := judge(entries, context.task.get("dependencies", []), self._strict):
            raise MalformedPayload(*found)
        filler = Filler(context.contents, self._extractors.for_run(), self._threads)
        return MountsOfRun(context, entries, filler, self._strict)


class MountsOfRun(TaskFeature):
    """The mounts of one run.

    Caches may lie in each other: what was attached last is taken back first.

    @param strict: whether nothing can be changed in mounted folders.
    """

    def __init__(self, context: ITaskContext, entries: Sequence[Entry], filler: Filler, strict: bool) -> None:
        self._context = context
        self._log = PrefixedLog(context.log, MountsFeature.name)
        means = Means(context.caches, filler, self._log, strict)
        self._mounts = [_new_mount(entry, means) for entry in entries]
        self._caches = [mount for mount in self._mounts if isinstance(mount, CacheMount)]
        self._ran = False
        self._result: IResult | None = None

    def load(self, engine: IEngine) -> Deferred[None]:
        return Deferred.fromCoroutine(self._load(engine))

    def started(self, execution: IExecution) -> Deferred[None]:
        self._ran = True
        return super().started(execution)

    def stopped(self, result: IResult) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stopped(result))

    def upload(self, result: IResult) -> Deferred[None]:
        return Deferred.fromCoroutine(self._take_back(self._caches, result))

    def cleanup(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._clean_up())

    async def _load(self, engine: IEngine) -> None:
        if self._caches:
            # All at once, so that the author learns of every one that is missing.
            names = dict.fromkeys(cache.name for cache in self._caches)
            scopes: ScopeExpression = {"AllOf": [f"generic-worker:cache:{name}" for name in names]}
            await require_scopes(self._context, "payload.mounts", scopes)
            await self._context.caches.heed_purges()
        await Together(self._mounts, self._context.name).run()
        errors = [error for mount in self._mounts if (error := await _attach(mount, engine))]
        if joined := join(errors):
            raise joined

    async def _stopped(self, result: IResult) -> None:
        self._result = result
        if why := why_not_kept(result, self._purging):
            await self._drop_all(why)
            return
        artifacts = self._context.payload.get(_ARTIFACTS, [])
        await self._take_back([c for c in self._caches if not is_published_from(c.entry, artifacts)], result)

    @property
    def _purging(self) -> Collection[int]:
        statuses: Collection[int] = self._context.payload.get("onExitStatus", {}).get("purgeCaches", [])
        return statuses

    async def _drop_all(self, why: str) -> None:
        held = [cache for cache in self._caches if cache.held]
        if held:
            names = ", ".join(dict.fromkeys(cache.name for cache in held))
            self._log.info(f"Purging caches since {why}: {names}")
        for cache in held:
            await cache.drop(why)

    async def _take_back(self, caches: Sequence[CacheMount], result: IResult) -> None:
        errors: list[TaskError] = []
        lost: list[CacheMount] = []
        for cache in reversed(caches):
            try:
                # Else its next task would find something in the place of another cache.
                if any(cache.entry.holds(other.entry.path) for other in lost):
                    await cache.drop("a cache in it was lost")
                await cache.take_back(result)
            except TaskError as error:
                errors.append(error)
                lost.append(cache)
        if joined := join(errors):
            raise joined

    async def _clean_up(self) -> None:
        try:
            if self._result is not None:
                # The worker had no time for uploads: what it held for them is whole all the same.
                await self._take_back(self._caches, self._result)
            elif self._ran:
                await self._drop_all("the task was cut off")
        finally:
            for mount in self._mounts:
                await mount.release()


async def _attach(mount: Mount, engine: IEngine) -> TaskError | None:
    try:
        await mount.attach(engine)
    except TaskError as error:
        return mount.entry.locate(error)
    return None


def _new_mount(entry: Entry, means: Means) -> Mount:
    if entry.cache_name is not None:
        return CacheMount(entry, means)
    return (FileMount if entry.is_file else FolderMount)(entry, means)
