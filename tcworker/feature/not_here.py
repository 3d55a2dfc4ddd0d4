"""What a payload may ask for and this worker does not have; what it accepts and has no use for.

A feature that comes takes its entry, and its slice of the payload, out of here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.interfaces import IFeature, ITaskContext, ITaskFeature
from tcworker.task.feature_flag import FeatureFlag, flags_schema

_FEATURES: Mapping[FeatureFlag, str] = {
    FeatureFlag(name, False, f"This worker has no {what}: true is refused."): what
    for name, what in {
        "taskclusterProxy": "proxy to Taskcluster",
        "interactive": "shells into running tasks",
        "chainOfTrust": "chain of trust",
        "loopbackAudio": "loopback devices for audio",
        "loopbackVideo": "loopback devices for video",
    }.items()
}

_UNUSED: Mapping[str, Any] = {
    "taskclusterProxyInterface": {
        "type": "string",
        "enum": ["localhost", "docker-bridge"],
        "default": "localhost",
        "description": "Where the proxy to Taskcluster listens. Accepted without effect: this worker has none.",
    },
    "supersederUrl": {"type": "string", "description": "Accepted without effect."},
}


@implementer(IFeature)
class NotHereFeature:
    """Refuses tasks that need what this worker does not have."""

    name = "not-here"
    schema: Mapping[str, Any] = {
        "properties": {
            **_UNUSED,
            **flags_schema(*_FEATURES),
        },
        "required": [],
    }
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        pass

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        wanted = {f"features.{flag.name}": what for flag, what in _FEATURES.items() if flag.is_set(context.payload)}
        if wanted:
            raise MalformedPayload(*(_refusal(place, what) for place, what in wanted.items()))
        return None


def _refusal(place: str, what: str) -> str:
    return f"payload.{place}: this worker has no {what}; leave it out, or use a worker pool that has"
