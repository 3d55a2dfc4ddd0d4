"""What C{verdict.json} looks like, as a JSON schema; docs/verdict.md explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tcworker.causes import Cause, Whose

VERSION = 1

_TEXT = {"type": "string"}
_SECONDS = {"type": "number", "minimum": 0}
_COUNT = {"type": "integer", "minimum": 0}


def _object(description: str, properties: Mapping[str, Any], *, optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "description": description, "properties": properties, "required": required}


_COMMAND = {
    **_object(
        "The last of the task's commands that ended, well or not, or could not be started.",
        {
            "number": {**_COUNT, "description": "Counted from 0, as in the log."},
            "status": {"type": "integer", "description": "What it exited with."},
            "signal": {**_TEXT, "description": "The signal that killed it, for example SIGSEGV."},
            "problem": {**_TEXT, "description": "Why it could not be started."},
            "seconds": {**_SECONDS, "description": "How long it ran."},
            "peakMemory": {**_COUNT, "description": "Bytes; 0 if it was too little to be told."},
        },
        optional=("status", "signal", "problem"),
    ),
    "oneOf": [{"required": [how]} for how in ("status", "signal", "problem")],
}

_EVIDENCE = {
    "command": _COMMAND,
    "seconds": {**_SECONDS, "description": "The limit that was passed."},
    "problems": {"type": "array", "items": _TEXT, "description": "All that is wrong with the payload."},
    "artifact": {**_TEXT, "description": "The name of the first artifact that is missing."},
    "reason": {**_TEXT, "description": "Why it is, in the queue's words, for example file-missing-on-worker."},
    "path": {**_TEXT, "description": "What could not be written, or its folder."},
    "cache": {**_TEXT, "description": "The cache's name."},
    "what": {**_TEXT, "description": "The artifact, call or address that it was about."},
    "error": {**_TEXT, "description": "What the system, the storage or Taskcluster said."},
    "secondsLeft": {**_SECONDS, "description": "How long the worker had when it was told to go."},
    "secondsNeeded": {**_SECONDS, "description": "How long it would have taken, by the speed of uploads so far."},
    "begun": {"type": "boolean", "description": "Whether the task's commands had been started."},
    "incident": {**_TEXT, "description": "Under which the worker's own log says more."},
}

_ALWAYS: Mapping[Cause, tuple[str, ...]] = {
    Cause.EXIT_STATUS: ("command",),
    Cause.SIGNAL: ("command",),
    Cause.NOT_STARTED: ("command",),
    Cause.MAX_RUN_TIME: ("seconds",),
    Cause.IDLE_OUTPUT: ("seconds",),
    Cause.MALFORMED_PAYLOAD: ("problems",),
    Cause.ARTIFACT_MISSING: ("artifact", "reason"),
    Cause.NO_DISK: ("path", "error"),
    Cause.UPLOAD_REFUSED: ("what", "error"),
    Cause.TASKCLUSTER_AWAY: ("what", "error"),
    Cause.WORKER_DIED: ("begun",),
}
"""The evidence that there always is."""


def _rule(cause: Cause) -> Mapping[str, Any]:
    then: dict[str, Any] = {"properties": {"whose": {"const": cause.whose.value}}}
    if always := _ALWAYS.get(cause):
        then["properties"]["evidence"] = {"required": list(always)}
    return {"if": {"properties": {"cause": {"const": cause.value}}}, "then": then}


VERDICT_SCHEMA: Mapping[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Why a run was not completed",
    **_object(
        "Keys may be added; another version says that what is here changed its meaning.",
        {
            "version": {"const": VERSION},
            "taskId": _TEXT,
            "runId": _COUNT,
            "state": {"enum": ["failed", "exception"], "description": "Of the run, in the queue's words."},
            "reason": {**_TEXT, "description": "The same, more exactly: for example worker-shutdown, or failed."},
            "cause": {"enum": [cause.value for cause in Cause], "description": "Why it ended."},
            "whose": {"enum": [whose.value for whose in Whose], "description": "Whose doing that was."},
            "message": {**_TEXT, "description": "The same for people: what the log says last."},
            "evidence": {"type": "object", "description": "What shows it.", "properties": _EVIDENCE},
            "time": {**_TEXT, "format": "date-time", "description": "When the run's end was decided."},
            "worker": _object(
                "Which worker that was.",
                {"taskQueueId": _TEXT, "workerGroup": _TEXT, "workerId": _TEXT, "tcworker": _TEXT},
            ),
        },
    ),
    "allOf": [_rule(cause) for cause in Cause],
}
