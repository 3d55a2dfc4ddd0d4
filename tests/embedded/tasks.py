"""A task, as the C{taskcluster} package's clients take it."""

from __future__ import annotations

from typing import Any

import taskcluster


def definition(**more: Any) -> dict[str, Any]:
    return {
        "taskQueueId": "prov/type",
        "created": taskcluster.fromNow("0 seconds"),
        "deadline": taskcluster.fromNow("1 hour"),
        "payload": {"a": 1},
        "metadata": {"name": "n", "description": "d", "owner": "o", "source": "https://example.com"},
        **more,
    }
