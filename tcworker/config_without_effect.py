"""Names of the reference worker's configuration that change nothing here, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEXT = {"type": "string", "expected": "text"}
# The reference worker, too, refuses these when they are empty.
SOME_TEXT = {"type": "string", "minLength": 1, "expected": "text that is not empty"}
FLAG = {"type": "boolean", "expected": "true or false"}
WHOLE = {"type": "integer", "minimum": 0, "expected": "a whole number, 0 or more"}
OBJECT = {"type": "object", "expected": "an object"}

_NO_SIGNATURE = "this worker signs no chain of trust: a task that asks for one is malformed"
_NO_PLACE = "it would only stand in a document of the chain of trust, and this worker writes none"
_NO_SHELL = "nobody can open a shell in a task of this worker: one that asks for that is malformed"
_NO_LIVE_LOG = "no program and no port of its own shows the log of a running task: only tcworker server shows it"
_NO_TUNNEL = "this worker shows nothing through a websocktunnel"
_NO_DEVICES = "this worker has no loopback devices: a task that asks for one is malformed"
_NO_PROXY = "this worker gives no task a proxy to Taskcluster: one that asks for it is malformed"


@dataclass(frozen=True)
class WithoutEffect:
    """What a name may hold, and why that changes nothing.

    A value that the reference worker could not read either is refused: it is a slip, and would break the worker on the
    day on which the name gets its effect.

    @ivar reason: what follows "has no effect here, because".
    """

    schema: Mapping[str, Any]
    reason: str


WITHOUT_EFFECT: Mapping[str, WithoutEffect] = {
    "availabilityZone": WithoutEffect(TEXT, _NO_PLACE),
    "d2gConfig": WithoutEffect(OBJECT, "this worker has no platform for payloads of docker-worker"),
    "disableReboots": WithoutEffect(FLAG, "this worker never reboots its machine"),
    "ed25519SigningKeyLocation": WithoutEffect(TEXT, _NO_SIGNATURE),
    "enableChainOfTrust": WithoutEffect(FLAG, _NO_SIGNATURE),
    "enableInteractive": WithoutEffect(FLAG, _NO_SHELL),
    "enableLoopbackAudio": WithoutEffect(FLAG, _NO_DEVICES),
    "enableLoopbackVideo": WithoutEffect(FLAG, _NO_DEVICES),
    "enableTaskclusterProxy": WithoutEffect(FLAG, _NO_PROXY),
    "headlessTasks": WithoutEffect(FLAG, "tasks of this worker never have a desktop: all are headless"),
    "instanceId": WithoutEffect(TEXT, _NO_PLACE),
    "interactivePort": WithoutEffect(WHOLE, _NO_SHELL),
    "livelogExecutable": WithoutEffect(SOME_TEXT, _NO_LIVE_LOG),
    "livelogExposePort": WithoutEffect(WHOLE, _NO_LIVE_LOG),
    "livelogPortBase": WithoutEffect(WHOLE, _NO_LIVE_LOG),
    "loopbackAudioDeviceNumber": WithoutEffect(WHOLE, _NO_DEVICES),
    "loopbackVideoDeviceNumber": WithoutEffect(WHOLE, _NO_DEVICES),
    "privateIP": WithoutEffect(TEXT, _NO_PLACE),
    "publicIP": WithoutEffect(TEXT, _NO_PLACE),
    "region": WithoutEffect(TEXT, _NO_PLACE),
    "sentryProject": WithoutEffect(TEXT, "this worker reports its errors to nobody: they are in its log"),
    "taskclusterProxyExecutable": WithoutEffect(TEXT, _NO_PROXY),
    "taskclusterProxyPort": WithoutEffect(WHOLE, _NO_PROXY),
    "wstAudience": WithoutEffect(TEXT, _NO_TUNNEL),
    "wstServerURL": WithoutEffect(TEXT, _NO_TUNNEL),
}
"""By their names. Who gives one its effect takes it out of here and into L{tcworker.config_schema.KEYS}."""
