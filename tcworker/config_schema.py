"""The keys of the configuration and what each may be."""

from __future__ import annotations

from typing import Any

from tcworker.amqp.address import SHAPE
from tcworker.config_without_effect import WITHOUT_EFFECT

# \Z everywhere: $ would let a newline at the end pass.
_ID = r"^[a-zA-Z0-9_-]{1,38}\Z"
_ID_WORDS = "1 to 38 letters, digits, - or _"


def _text(expected: str = "text", pattern: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "string", "expected": expected, **({"pattern": pattern} if pattern else {}), **more}


def _whole(least: int, most: int | None = None, unit: str = "") -> dict[str, Any]:
    limits = f"from {least} to {most}" if most is not None else f"of at least {least}"
    schema = {"type": "integer", "minimum": least, "expected": f"a whole number {unit}{limits}"}
    return schema | ({"maximum": most} if most is not None else {})


def _number(unit: str) -> dict[str, Any]:
    return {"type": "number", "minimum": 0, "expected": f"a number of {unit}, 0 or more"}


def _flag() -> dict[str, Any]:
    return {"type": "boolean", "expected": "true or false"}


def _names(expected: str, pattern: str, least: int = 0) -> dict[str, Any]:
    item = _text(expected, pattern)
    # Twice the same name is a slip, which would make two of what there can be one of.
    return {"type": "array", "items": item, "uniqueItems": True, "minItems": least, "expected": f"a list of {expected}"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, "expected": "an object"}


_UID = {"type": "integer", "minimum": 1, "maximum": 2**32 - 2, "expected": "the number of a user"}
_UID_RANGE = {"minItems": 2, "maxItems": 2, "expected": "two numbers, the first and the last user"}

_CLASS = "a built-in name or a class as package.module.Class"
_CLASS_NAME = r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z"

SHORTEST_MASK = 6
"""Bytes of the shortest text that is masked in logs: shorter ones are everywhere, and a mask would show them."""

_PATTERN = {"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
_MASK = {
    "anyOf": [{"type": "string"}, {**_PATTERN, "additionalProperties": False}],
    "expected": f'text of {SHORTEST_MASK} bytes and more, or {{pattern: "a regular expression"}}',
}
_MASKS = {"type": "array", "items": _MASK, "expected": "a list of what is masked in logs"}

KEYS: dict[str, dict[str, Any]] = {
    "rootURL": _text("a URL like https://tc.example.com", r"^https?://[^\s/?#@]+(/[^\s?#]*)?\Z"),
    "clientId": _text("a client id of Taskcluster", r"^[A-Za-z0-9!@/:.+|_-]+\Z"),
    "accessToken": _text("the client's access token", r"^[!-~]+\Z"),
    "certificate": _text("the certificate of temporary credentials, JSON as text"),
    "provisionerId": _text(_ID_WORDS, _ID),
    "workerType": _text(
        "1 to 38 lower-case letters, digits or -, a letter first and no - at the end",
        r"^[a-z]([-a-z0-9]{0,36}[a-z0-9])?\Z",
    ),
    "workerGroup": _text(_ID_WORDS, _ID),
    "workerId": _text(_ID_WORDS, _ID),
    "capacity": _whole(1, 255),
    "numberOfTasksToRun": _whole(0),
    "idleTimeoutSecs": _whole(0, unit="of seconds "),
    "maxTaskRunTime": _whole(1, unit="of seconds "),
    "requiredDiskSpaceMegabytes": _whole(0),
    "cachesMaxMegabytes": _whole(0),
    "maxInternalErrors": _whole(0),
    "crashPauseSecs": _number("seconds"),
    "shutdownMachineOnIdle": _flag(),
    "shutdownMachineOnInternalError": _flag(),
    "createObjectArtifacts": _flag(),
    "disableNativePayloads": _flag(),
    "enableOSGroups": _flag(),
    "enableRunTaskAsCurrentUser": _flag(),
    "enableMetadata": _flag(),
    "enableLiveLog": _flag(),
    "enableMounts": _flag(),
    "mounts": _object(
        strictReadOnly=_flag(),
        retrySecs=_number("seconds"),
        # Whether each is one, Networks knows better.
        denyNetworks=_names("networks such as 10.0.0.0/8", ""),
        maxExtractedMegabytes=_whole(1),
    ),
    "tasksDir": _text("a folder's path", r"[^\0]"),
    "workerTypeMetadata": {"type": "object", "expected": "an object"},
    "workerLocation": _text("text, usually JSON"),
    "instanceType": _text(),
    "stateDir": _text("a folder's path", r"[^\0]"),
    "cachesDir": _text("a folder's path", r"[^\0]"),
    "downloadsDir": _text("a folder's path", r"[^\0]"),
    "killGraceSecs": _number("seconds"),
    "shutdownGraceSecs": _number("seconds"),
    "statusPollSecs": {"type": "number", "minimum": 1, "expected": "a number of seconds, 1 or more"},
    "pulse": _text(SHAPE),
    "overlapUploads": _flag(),
    "logs": _object(maxMegabytes=_whole(1), mask=_MASKS),
    "caBundle": _text("the path of a file of certificates in PEM", r"[^\0]"),
    "taskUser": _text("the name of an account of this machine", r"^[^\s:/]+\Z"),
    "taskUsers": _flag(),
    "taskUidRange": {"type": "array", "items": _UID, **_UID_RANGE},
    "privateTmp": _flag(),
    "cleanUpTaskDirs": _flag(),
    "runAfterUserCreation": _text("the path of a program, or nothing"),
    "limits": _object(
        memoryMB=_whole(1),
        pids=_whole(1),
        # The kernel gives no shares smaller than this.
        cpus={"type": "number", "minimum": 0.01, "expected": "a number of processors, 0.01 or more"},
    ),
    "idleOutputTimeoutSecs": _whole(0, unit="of seconds "),
    "enableResourceMonitor": _flag(),
    "maxMemoryUsagePercent": _whole(0, 100, unit="of percent "),
    "minAvailableMemoryBytes": _whole(0, unit="of bytes "),
    "allowedHighMemoryDurationSecs": _number("seconds"),
    "disableOOMProtection": _flag(),
    "inheritEnv": _names("names of variables", r"^[^=\0]+\Z"),
    "host": _text(_CLASS, _CLASS_NAME),
    "platforms": _names(_CLASS, _CLASS_NAME, least=1),
    "features": _names(_CLASS, _CLASS_NAME),
    "extensions": {
        "type": "object",
        "additionalProperties": {"type": "object", "expected": "an object, the settings of that class"},
        "expected": "an object: settings by package.module.Class",
    },
}
"""What each key may be; C{expected} says it in words."""

REQUIRED = ("rootURL", "clientId", "accessToken", "workerType", "workerId")

SECRET = frozenset({"accessToken", "certificate", "extensions", "logs.mask", "pulse"})
"""Places whose values nobody may read in a log or an error."""


def may_be_shown(place: str) -> bool:
    """Whether what stands at a place such as C{logs.mask} is no secret, nor in or around something that is."""
    return not any(f"{place}.".startswith(f"{secret}.") or secret.startswith(f"{place}.") for secret in SECRET)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {**KEYS, **{name: unused.schema for name, unused in WITHOUT_EFFECT.items()}},
    "additionalProperties": False,
}

# worker-runner, which was made for a program in Go, does not spell all keys as the reference worker documents them.
NAMES = {name.casefold(): name for name in SCHEMA["properties"]}
"""The right spelling of a key by its case-folded form."""
