"""Groups of the machine that a task is a member of: C{osGroups} (contracts of generic-worker, 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.feature.base import PrefixedLog, TaskFeature, require_scopes, switched_off
from tcworker.interfaces import IEngine, IFeature, ITaskContext, ITaskFeature, ScopeExpression
from tcworker.task.feature_flag import RUN_AS_CURRENT_USER


@implementer(IFeature)
class OSGroupsFeature:
    """Lets a task join the groups that it lists and has the scopes for.

    @param config: C{enable_os_groups} and the pool's name are used.
    """

    name = "os-groups"
    schema: Mapping[str, Any] = {
        "properties": {
            "osGroups": {
                "type": "array",
                "items": {"type": "string"},
                "uniqueItems": True,
                "default": [],
                "description": "Groups of the machine that the task's user is a member of. For each the task needs the "
                "scope generic-worker:os-group:<provisionerId>/<workerType>/<group>.",
            }
        },
        "required": [],
    }
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        self._enabled = config.enable_os_groups
        self._pool = config.task_queue_id

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        groups = context.payload.get("osGroups", [])
        if groups and not self._enabled:
            raise switched_off("payload.osGroups", self._pool, "enableOSGroups")
        return _OSGroups(context, groups, f"generic-worker:os-group:{self._pool}") if groups else None


class _OSGroups(TaskFeature):
    """The groups of one run.

    @param scope: what the scope of each group begins with.
    """

    def __init__(self, context: ITaskContext, groups: Sequence[str], scope: str) -> None:
        self._context = context
        self._log = PrefixedLog(context.log, "osGroups")
        self._groups = groups
        self._scope = scope

    def load(self, engine: IEngine) -> Deferred[None]:
        return Deferred.fromCoroutine(self._load(engine))

    async def _load(self, engine: IEngine) -> None:
        # All at once, so that the author learns of every one that is missing.
        scopes: ScopeExpression = {"AllOf": [f"{self._scope}/{group}" for group in self._groups]}
        await require_scopes(self._context, "payload.osGroups", scopes)
        if RUN_AS_CURRENT_USER.is_set(self._context.payload):
            self._log.info("no group is joined: the task runs as the worker's user, in its groups")
        else:
            self._join(engine)

    def _join(self, engine: IEngine) -> None:
        faults = []
        for number, group in enumerate(self._groups):
            try:
                engine.join_group(group)
            except MalformedPayload as error:
                faults.append(f"payload.osGroups[{number}]: {error}")
        if faults:
            raise MalformedPayload(*faults)
