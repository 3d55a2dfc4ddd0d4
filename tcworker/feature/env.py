"""The variables of a task: its own C{env}, and those that say which task it is (contracts of generic-worker, 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IEngine, IFeature, ITaskContext, ITaskFeature


@implementer(IFeature)
class EnvFeature:
    """Sets the payload's variables, and over them those that every task gets."""

    name = "env"
    schema: Mapping[str, Any] = {
        "properties": {
            "env": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "default": {},
                "description": "Variables of the commands' environment, but for those that say which task it is.",
            }
        },
        "required": [],
    }
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        # A variable that is empty says something else than none.
        of_worker = {
            "TASKCLUSTER_WORKER_LOCATION": config.worker_location,
            "TASKCLUSTER_INSTANCE_TYPE": config.instance_type,
        }
        self._of_worker = {name: value for name, value in of_worker.items() if value}

    def for_task(self, context: ITaskContext) -> ITaskFeature:
        """See L{IFeature.for_task}."""
        # The last one wins: no task can pretend to be another.
        return _Env({**context.payload.get("env", {}), **_of_run(context), **self._of_worker})


def _of_run(context: ITaskContext) -> Mapping[str, str]:
    return {
        "TASK_ID": context.task_id,
        "RUN_ID": str(context.run_id),
        "TASK_GROUP_ID": str(context.task.get("taskGroupId", context.task_id)),
        "TASKCLUSTER_ROOT_URL": context.root_url,
    }


class _Env(TaskFeature):
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def load(self, engine: IEngine) -> Deferred[None]:
        faults: list[str] = []
        for name, value in self._variables.items():
            try:
                engine.set_env(name, value)
            except MalformedPayload as error:
                faults += (f"payload.{message}" for message in error.messages)
        return fail(MalformedPayload(*faults)) if faults else succeed(None)
