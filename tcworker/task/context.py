"""One run, as platforms and features see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, implementer

from tcworker.client.http import HTTP
from tcworker.client.scopes import missing, satisfies
from tcworker.client.server_time import ServerTime
from tcworker.client.services import Auth, Index, Object, Queue
from tcworker.config import Config
from tcworker.download.contents import Contents
from tcworker.download.downloads import Downloads
from tcworker.download.sources import Services
from tcworker.errors import Cause, MalformedPayload, ResourceUnavailable, TaskclusterError, TaskError
from tcworker.interfaces import (
    Artifact,
    Credentials,
    GzippedArtifact,
    ICaches,
    IPlatform,
    ITaskContext,
    Publish,
    ScopeExpression,
    Unsubscribe,
)
from tcworker.task.claim import Claim
from tcworker.task.haste import Haste
from tcworker.task.log import TaskLog
from tcworker.task.object_upload import ObjectUpload
from tcworker.task.patience import Patience
from tcworker.task.publish import Publisher
from tcworker.task.republish import Republisher
from tcworker.task.reserved_names import ReservedNames
from tcworker.task.s3_upload import S3Upload
from tcworker.task.secret_forms import forms_of_credentials
from tcworker.task.upload import Run, Upload
from tcworker.waiting import Executor
from tcworker.worker_log import RunLogger

MOST_UPLOADS = 10
"""How many artifacts a worker uploads side by side (contracts of generic-worker, 3)."""


def uploads_of_one(capacity: int) -> int:
    """How many of them one run of so many may have: its uploads may last as long as its author likes."""
    return MOST_UPLOADS if capacity == 1 else MOST_UPLOADS // 2


class IRunContext(ITaskContext):
    """A run as the worker itself sees it."""

    credentials: Credentials = Attribute("The run's newest.")

    def replace_credentials(credentials: Credentials) -> None:
        """Sign with these from now on, and tell all who asked to be told."""

    def run_on(platform: IPlatform) -> None:
        """The run's platform is known, which its caches are of."""

    def is_held(name: str) -> bool:
        """Whether a reference of somebody else is in the place of what the worker publishes under a reserved name."""

    def unfinished() -> Mapping[str, str]:
        """Files in the middle of their uploads, or cut off in it: those may be listed without content.

        By their names; with each what the last try failed with, which is empty before one did.
        """

    def republish(artifact: GzippedArtifact) -> Deferred[None]:
        """Publish content in the place of what was there before, trying but once; always to S3.

        Fails with L{TaskclusterError}, L{tcworker.task.put.Refused}, L{ArchiveError} or a L{TaskError}.
        """


@implementer(IRunContext)
class TaskContext:
    """See L{ITaskContext}.

    @param fail: ends the run with an error's resolution.
    @param time: of Taskcluster.
    @param caches: gives those of a platform.
    @param downloads: shared by all runs of a worker.
    @param haste: how much time uploads have.
    @param uploads: shared by all runs of a worker, so that they have no more than so many uploads together.
    """

    caches: ICaches

    def __init__(
        self,
        claim: Claim,
        *,
        clock: IReactorTime,
        config: Config,
        http: HTTP,
        time: ServerTime,
        folder: str,
        log: TaskLog,
        threads: Executor,
        fail: Callable[[TaskError], None],
        haste: Haste,
        uploads: DeferredSemaphore,
        caches: Callable[[IPlatform], ICaches],
        downloads: Downloads,
    ) -> None:
        self.task_id, self.run_id, self.name = claim.task_id, claim.run_id, claim.name
        self.task, self.payload = claim.task, claim.task.get("payload", {})
        self.deadline, self.expires = claim.deadline, claim.expires
        self.root_url = config.root_url
        self.folder = folder
        self.clock = clock
        self.log = log
        self._credentials: Credentials = claim.credentials
        # Asked at each call: a reclaim replaces the credentials while uploads go on.
        self.queue = Queue(http, config.root_url, lambda: self._credentials, clock, time=time, silence=haste.silence)
        self._auth = Auth(http, config.root_url, lambda: self._credentials, clock, time=time)
        objects = partial(_objects, http, config.root_url, clock, time)
        index = Index(http, config.root_url, lambda: self._credentials, clock, time=time)
        self.contents = Contents(Services(self.queue, index, objects), downloads)
        self._told: list[Callable[[Credentials], None]] = []
        self._reserved = ReservedNames()
        self._fail = fail
        self._caches_of = caches
        self._haste = haste
        self._logger = RunLogger(claim.name)
        run = Run(claim.task_id, claim.run_id, self.queue, Patience(clock, haste.all_left), haste)
        upload: Upload = ObjectUpload(http, run, objects) if config.create_object_artifacts else S3Upload(http, run)
        self._republisher = Republisher(http, run)
        own_uploads = DeferredSemaphore(uploads_of_one(config.capacity))
        self._publisher = Publisher(run, upload, folder, threads, uploads, own_uploads)

    @property
    def credentials(self) -> Credentials:
        """The run's newest credentials."""
        return self._credentials

    def replace_credentials(self, credentials: Credentials) -> None:
        """See L{IRunContext.replace_credentials}."""
        self._credentials = credentials
        self.log.mask_exactly(forms_of_credentials(credentials))
        # A proxy that cannot take them must not keep a shell from getting them.
        for call in list(self._told):
            try:
                call(credentials)
            except Exception:
                self._logger.failure("somebody who was told of new credentials failed")

    def run_on(self, platform: IPlatform) -> None:
        """See L{IRunContext.run_on}."""
        self.caches = self._caches_of(platform)

    def mask(self, secret: str) -> None:
        """See L{ITaskContext.mask}."""
        self.log.mask(secret)

    def require_scopes(self, *alternatives: ScopeExpression) -> Deferred[None]:
        """See L{ITaskContext.require_scopes}."""
        return Deferred.fromCoroutine(self._require(alternatives))

    def on_credentials(self, call: Callable[[Credentials], None]) -> Unsubscribe:
        """See L{ITaskContext.on_credentials}."""
        self._told.append(call)
        return lambda: self._told.remove(call) if call in self._told else None

    def publish(self, artifact: Artifact) -> Deferred[None]:
        """See L{ITaskContext.publish}."""
        return Deferred.fromCoroutine(self._publish(artifact))

    def reserve(self, name: str) -> Publish:
        """See L{ITaskContext.reserve}."""
        self._reserved.add(name)
        return lambda artifact: Deferred.fromCoroutine(self._publisher.publish(artifact))

    def is_reserved(self, name: str) -> bool:
        """See L{ITaskContext.is_reserved}."""
        return name in self._reserved

    def is_held(self, name: str) -> bool:
        """See L{IRunContext.is_held}."""
        return self._reserved.is_held(name)

    def unfinished(self) -> Mapping[str, str]:
        """See L{IRunContext.unfinished}."""
        return self._publisher.unfinished()

    def republish(self, artifact: GzippedArtifact) -> Deferred[None]:
        """See L{IRunContext.republish}."""
        return Deferred.fromCoroutine(self._republisher.publish(artifact))

    def time_left(self) -> float:
        """See L{ITaskContext.time_left}."""
        return self._haste.files_left()

    def in_haste(self) -> bool:
        """See L{ITaskContext.in_haste}."""
        return self._haste.begun

    def on_haste(self, call: Callable[[], None]) -> Unsubscribe:
        """See L{ITaskContext.on_haste}."""
        return self._haste.on_begin(call)

    def seconds_to_publish(self, size: int) -> float:
        """See L{ITaskContext.seconds_to_publish}."""
        return self._haste.speed.seconds_for(size)

    def fail(self, error: TaskError) -> None:
        """See L{ITaskContext.fail}."""
        self._fail(error)

    async def _publish(self, artifact: Artifact) -> None:
        self._reserved.check(artifact)
        await self._publisher.publish(artifact)

    async def _require(self, alternatives: Sequence[ScopeExpression]) -> None:
        # Nearly every task has what it needs as it stands: auth is asked only about the others.
        scopes = self.task.get("scopes", [])
        if any(satisfies(scopes, expression) for expression in alternatives):
            return
        expanded = await self._expand(scopes)
        if not any(satisfies(expanded, expression) for expression in alternatives):
            lacking = [", ".join(missing(expanded, expression)) for expression in alternatives]
            raise MalformedPayload(
                f"the task lacks scopes: {', or '.join(lacking)}",
                f"it has: {', '.join(scopes) or 'none'}",
            )

    async def _expand(self, scopes: Sequence[str]) -> Sequence[str]:
        """What the task has by the roles that it may assume."""
        try:
            answer = await self._auth.expand_scopes({"scopes": list(scopes)})
        except TaskclusterError as error:
            why = f"the task's scopes could not be expanded: {error}"
            evidence = {"what": error.method, "error": error.message}
            raise ResourceUnavailable(why, cause=Cause.TASKCLUSTER_AWAY, evidence=evidence) from error
        expanded: Sequence[str] = answer["scopes"]
        return expanded


def _objects(http: HTTP, root_url: str, clock: IReactorTime, time: ServerTime, given: Credentials) -> Object:
    """The object service, called with credentials for one artifact."""
    return Object(http, root_url, lambda: given, clock, time=time)
