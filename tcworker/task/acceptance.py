"""Which platform runs a task, and whether the task's payload is what that platform and the features take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.interfaces import JSON, IPlatform, ITaskLog
from tcworker.task.log_names import LOGS_SCHEMA
from tcworker.task.payload import PayloadSchema, is_soon_checked
from tcworker.waiting import Executor


class Acceptance:
    """Judges payloads.

    @ivar schemas: the payload's schema for each platform, by the platform's name.
    @param slices: each feature's slice of the payload, by the feature's name.
    """

    def __init__(self, config: Config, platforms: Sequence[IPlatform], slices: Mapping[str, Mapping[str, Any]]) -> None:
        self._pool = config.task_queue_id
        self._platforms = [each for each in platforms if each.name not in config.refused_platforms]
        self._refused = {each: config.refused_platforms[each.name] for each in platforms if each not in self._platforms}
        self.schemas: Mapping[str, PayloadSchema] = {
            platform.name: PayloadSchema(
                {platform.name: platform.schema, "logs": LOGS_SCHEMA, **slices},
                f"The payload of a task for the platform {platform.name}",
            )
            for platform in platforms
        }

    async def platform_for(self, payload: JSON, log: ITaskLog, threads: Executor) -> IPlatform:
        """The platform that is to run a payload. L{MalformedPayload} if there is none, or its schema is not met.

        @param threads: for a payload whose check takes long.
        """
        platform = self._choose(payload)
        schema = self.schemas[platform.name]
        try:
            if is_soon_checked(payload):
                schema.check(payload)
            else:
                await threads.run(schema.check, payload)
        except MalformedPayload:
            # The whole schema is long, and what is wrong would be hard to find below it.
            log.info(
                f"What a payload may be is in docs/payload.md of tcworker; tcworker schema {platform.name} prints it"
            )
            raise
        return platform

    def _choose(self, payload: JSON) -> IPlatform:
        asked = payload if isinstance(payload, dict) else {}
        for platform in self._platforms:
            if platform.accepts(asked):
                return platform
        if "image" in asked:
            raise _refusal(
                f"payload.image: a payload with an image is for docker, which workers of {self._pool} do not have"
            )
        for platform, setting in self._refused.items():
            if not self._platforms or platform.accepts(asked):
                raise _refusal(f"payload: workers of {self._pool} take no {platform.name} payloads ({setting}: true)")
        # Where there is no choice, what is wrong can be said exactly.
        if len(self._platforms) == 1:
            return self._platforms[0]
        names = ", ".join(platform.name for platform in self._platforms)
        raise MalformedPayload(f"payload: none of this worker's platforms ({names}) can run it")


def _refusal(why: str) -> MalformedPayload:
    return MalformedPayload(f"{why}; contact the owner of the worker pool, or use another one")
