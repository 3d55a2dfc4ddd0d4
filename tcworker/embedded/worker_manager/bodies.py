"""What the worker-manager's calls take (contracts of the queue, 4.1 to 4.4)."""

from __future__ import annotations

from tcworker.embedded.routing import OMITTED
from tcworker.embedded.schemas import COUNT, DATE, NAME_38, TASK_QUEUE, Schema, closed
from tcworker.interfaces import JSON

REREGISTRATION_SECONDS = 345_600

_TEXT: Schema = {"type": "string"}
_OBJECT: Schema = {"type": "object"}
_SECRET: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9_-]{44}$"}
_POOL_ID: Schema = {"type": "string", "pattern": TASK_QUEUE}
_WORKER: dict[str, Schema] = {"workerPoolId": _POOL_ID, "workerGroup": NAME_38, "workerId": NAME_38}

_POOL: dict[str, Schema] = {
    "providerId": NAME_38,
    "description": {"type": "string", "maxLength": 10240},
    "config": _OBJECT,
    "owner": {"type": "string", "pattern": r"[^@\s]+@[^@\s]+"},
    "emailOnError": {"type": "boolean"},
}

CREATE_POOL = closed(_POOL, required=[*_POOL])

# So that what somebody has got may be changed and put back.
UPDATE_POOL = closed({**_POOL, "workerPoolId": _POOL_ID, "created": DATE, "lastModified": DATE}, required=[*_POOL])

_REREGISTRATION: Schema = {"type": "integer", "minimum": 0, "maximum": 2_592_000}

STATIC_CONFIG = closed(
    {"lifecycle": closed({"reregistrationTimeout": _REREGISTRATION}), "workerConfig": _OBJECT},
)

_LIFECYCLE = closed(
    {
        "registrationTimeout": COUNT,
        "reregistrationTimeout": _REREGISTRATION,
        "queueInactivityTimeout": {**COUNT, "minimum": 1200},
    }
)

_LAUNCH_CONFIG: Schema = {
    "type": "object",
    "properties": {
        "launchConfigId": NAME_38,
        "workerConfig": _OBJECT,
        "workerManager": closed(
            {
                "launchConfigId": NAME_38,
                "capacityPerInstance": {**COUNT, "minimum": 1},
                "maxCapacity": COUNT,
                "initialWeight": {"type": "number", "minimum": 0, "maximum": 1},
            }
        ),
    },
}

# What is a cloud's own in a launch configuration matters to nobody here.
CLOUD_CONFIG: Schema = {
    "type": "object",
    "properties": {
        "lifecycle": _LIFECYCLE,
        "minCapacity": COUNT,
        "maxCapacity": COUNT,
        "scalingRatio": {"type": "number", "minimum": 0, "maximum": 1},
        "launchConfigs": {"type": "array", "items": _LAUNCH_CONFIG},
    },
    "required": ["maxCapacity", "minCapacity", "launchConfigs"],
}

CREATE_WORKER = closed(
    {
        "expires": DATE,
        "capacity": {**COUNT, "minimum": 1, "default": 1},
        "providerInfo": closed({"staticSecret": _SECRET}, required=["staticSecret"]),
    },
    required=["expires"],
)

REGISTER = closed(
    {
        **_WORKER,
        "providerId": NAME_38,
        "workerIdentityProof": {
            "oneOf": [
                closed({"token": _TEXT}, required=["token"]),
                closed({"staticSecret": _SECRET}, required=["staticSecret"]),
                closed({"document": _TEXT, "signature": _TEXT}, required=["document", "signature"]),
                closed({"document": _TEXT}, required=["document"]),
            ]
        },
        "systemBootTime": DATE,
    },
    required=["workerPoolId", "providerId", "workerGroup", "workerId", "workerIdentityProof"],
)

REREGISTER = closed({**_WORKER, "secret": _SECRET}, required=[*_WORKER, "secret"])

REPORT_ERROR = closed(
    {
        "workerGroup": NAME_38,
        "workerId": NAME_38,
        # The real one has no anchors there: one such character anywhere is enough for it.
        "kind": {"type": "string", "maxLength": 128, "pattern": r"[\s\S]*[-a-z0-9][\s\S]*"},
        "title": {"type": "string", "maxLength": 128},
        "description": {"type": "string", "maxLength": 10240},
        "extra": _OBJECT,
    },
    required=["workerGroup", "workerId", "kind", "title", "description", "extra"],
)


def without_static_secret(body: JSON) -> JSON:
    """Give what of a body of createWorker anybody may see."""
    info = body.get("providerInfo") if isinstance(body, dict) else None
    if not isinstance(info, dict) or "staticSecret" not in info:
        return body
    return {**body, "providerInfo": {**info, "staticSecret": OMITTED}}
