"""The names of a run's logs among its artifacts: the one slice of the payload that is the task's own.

Contracts of generic-worker, 1 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tcworker.errors import MalformedPayload

_NAME = {"type": "string", "pattern": r"^[\x20-\x7e]+$", "maxLength": 1024}

LOGS_SCHEMA: Mapping[str, Any] = {
    "properties": {
        "logs": {
            "type": "object",
            "properties": {"live": _NAME, "backing": _NAME},
            "additionalProperties": False,
        }
    },
    "required": [],
}
"""The slice of the payload, as L{tcworker.task.payload.PayloadSchema} takes it."""


@dataclass(frozen=True)
class LogNames:
    """Under which names a run's logs are published.

    @ivar live: a link to the log, and while the task runs perhaps to where it can be followed.
    @ivar backing: the log itself.
    """

    live: str = "public/logs/live.log"
    backing: str = "public/logs/live_backing.log"

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> LogNames:
        """Read the names from a payload that fits the schema. Raises L{MalformedPayload} if both are the same."""
        names = cls(**payload.get("logs", {}))
        # The link would be a link to itself, and take the place of the log.
        if names.live == names.backing:
            raise MalformedPayload(
                f'payload.logs: the live log and the backing log have the same name, "{names.live}"; give them two'
            )
        return names

    @property
    def reserved(self) -> frozenset[str]:
        """The names that no artifact of the payload can have."""
        return frozenset((self.live, self.backing))
