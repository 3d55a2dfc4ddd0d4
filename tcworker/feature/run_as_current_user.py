"""A task with the worker's own rights: C{features.runTaskAsCurrentUser} (contracts of generic-worker, 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.feature.base import TaskFeature, require_scopes, switched_off
from tcworker.interfaces import IEngine, IFeature, ITaskContext, ITaskFeature
from tcworker.task.feature_flag import RUN_AS_CURRENT_USER, flags_schema

_PLACE = "payload.features.runTaskAsCurrentUser"


@implementer(IFeature)
class RunAsCurrentUserFeature:
    """Lets a task that has the scope run as the worker's user.

    @param config: C{enable_run_task_as_current_user}, C{capacity} and the pool's name are used.
    """

    name = "run-as-current-user"
    schema: Mapping[str, Any] = {"properties": flags_schema(RUN_AS_CURRENT_USER), "required": []}
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        self._enabled = config.enable_run_task_as_current_user
        self._capacity = config.capacity
        self._pool = config.task_queue_id

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        if not RUN_AS_CURRENT_USER.is_set(context.payload):
            return None
        if not self._enabled:
            raise switched_off(_PLACE, self._pool, "enableRunTaskAsCurrentUser")
        # What keeps tasks apart is what each may do, and this one may do all that the worker may.
        if self._capacity > 1:
            raise MalformedPayload(
                f"{_PLACE}: workers of {self._pool} run {self._capacity} tasks side by side, which such a task could "
                "all reach; use a worker pool with capacity 1"
            )
        return _RunAsCurrentUser(context, f"generic-worker:run-task-as-current-user:{self._pool}")


class _RunAsCurrentUser(TaskFeature):
    def __init__(self, context: ITaskContext, scope: str) -> None:
        self._context = context
        self._scope = scope

    def load(self, engine: IEngine) -> Deferred[None]:
        return Deferred.fromCoroutine(self._load(engine))

    async def _load(self, engine: IEngine) -> None:
        await require_scopes(self._context, _PLACE, self._scope)
        engine.run_as_worker()
