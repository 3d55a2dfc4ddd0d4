"""The names of a run's logs among its artifacts: the one slice of the payload that is the task's own.

Contracts of generic-worker, 1 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tcworker.errors import MalformedPayload
from tcworker.task.feature_flag import FeatureFlag, flags_schema
from tcworker.task.forms import ARTIFACT_NAME, LONGEST_ARTIFACT_NAME

_LIVE = "public/logs/live.log"
_BACKING = "public/logs/live_backing.log"
_CHECKPOINT = "checkpoint.log"


def _name(default: str, description: str) -> Mapping[str, Any]:
    form = {"type": "string", "pattern": ARTIFACT_NAME, "maxLength": LONGEST_ARTIFACT_NAME}
    return {**form, "default": default, "description": description}


BACKING_LOG = FeatureFlag("backingLog", True, "Whether the log is published at all.")

LIVE_LOG = FeatureFlag(
    "liveLog", True, "Whether the log can be followed while the task runs, where the worker offers that."
)

LOGS_SCHEMA: Mapping[str, Any] = {
    "properties": {
        "logs": {
            "type": "object",
            "properties": {
                "live": _name(_LIVE, "Name of the artifact that leads to the log, also while the task runs."),
                "backing": _name(_BACKING, "Name of the artifact that is the whole log, when the task has ended."),
            },
            "additionalProperties": False,
            "default": {},
            "description": "The names of the task's logs.",
        },
        **flags_schema(BACKING_LOG, LIVE_LOG),
    },
    "required": [],
}
"""The slice of the payload, as L{tcworker.task.payload.PayloadSchema} takes it."""


@dataclass(frozen=True)
class LogNames:
    """Under which names a run's logs are published.

    @ivar live: a link to the log, and while the task runs perhaps to where it can be followed.
    @ivar backing: the log itself.
    @ivar published: whether it is, and then the link, too.
    """

    live: str = _LIVE
    backing: str = _BACKING
    published: bool = True

    @property
    def checkpoint(self) -> str | None:
        """Where there is what is there of the log while it grows; C{None} where that has no place, or no business."""
        name = self.beside(_CHECKPOINT)
        possible = self.published and name not in (self.live, self.backing) and len(name) <= LONGEST_ARTIFACT_NAME
        return name if possible else None

    def beside(self, name: str) -> str:
        """The name of something in the folder of the log."""
        return f"{self.backing.rpartition('/')[0]}/{name}" if "/" in self.backing else name

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> LogNames:
        """Read the names from a payload that fits the schema. Raises L{MalformedPayload} if both are the same."""
        names = cls(**payload.get("logs", {}), published=BACKING_LOG.is_set(payload))
        # The link would be a link to itself, and take the place of the log.
        if names.live == names.backing:
            raise MalformedPayload(
                f'payload.logs: the live log and the backing log have the same name, "{names.live}"; give them two'
            )
        return names
