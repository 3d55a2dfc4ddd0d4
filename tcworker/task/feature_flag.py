"""Switches of the payload: what stands in its C{features}, each true or false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FeatureFlag:
    """One of them.

    @ivar default: what it is in a payload without it.
    """

    name: str
    default: bool
    description: str

    def is_set(self, payload: Mapping[str, Any]) -> bool:
        """Whether it is true in a payload that fits the schema."""
        value: bool = payload.get("features", {}).get(self.name, self.default)
        return value


RUN_AS_CURRENT_USER = FeatureFlag(
    "runTaskAsCurrentUser",
    False,
    "Whether the commands run as the worker's own user, with all its rights. The task needs the scope "
    "generic-worker:run-task-as-current-user:<provisionerId>/<workerType>.",
)
"""Here, for there is one more feature than its own that goes by it: such a task joins no groups."""


def flags_schema(*flags: FeatureFlag) -> Mapping[str, Any]:
    """Give the schema of C{features} with these flags, to be put among the properties of a slice of the payload."""
    properties = {
        flag.name: {"type": "boolean", "default": flag.default, "description": flag.description} for flag in flags
    }
    return {"features": {"type": "object", "properties": properties}}
