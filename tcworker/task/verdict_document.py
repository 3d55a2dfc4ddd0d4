"""The document that says why a run was not completed, and its artifact (docs/verdict.md)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from posixpath import dirname, join
from typing import TypeAlias

from tcworker import __version__
from tcworker.config import Config
from tcworker.filebody import MemoryFile
from tcworker.interfaces import JSON, GzippedArtifact
from tcworker.task.claim import write_date
from tcworker.task.log_names import LogNames
from tcworker.task.verdict import Verdict
from tcworker.task.verdict_schema import VERSION

Mask: TypeAlias = Callable[[str], str]
"""Makes of a text what may leave the machine."""

_NAME = "verdict.json"

_LONGEST_TEXT = 10_000
_MOST_ITEMS = 100


def verdict_name(names: LogNames) -> str:
    """Its name among the artifacts of a run whose logs have these."""
    return join(dirname(names.backing), _NAME)


def write_verdict(task_id: str, run_id: int, config: Config, verdict: Verdict, time: datetime, mask: Mask) -> bytes:
    """Write it as JSON.

    @param time: when the run's end was decided.
    @param mask: is given each text that is not the worker's own.
    """
    document = {
        "version": VERSION,
        "taskId": task_id,
        "runId": run_id,
        "state": verdict.resolution.state,
        "reason": verdict.resolution.reason,
        "cause": verdict.cause.value,
        "whose": verdict.cause.whose.value,
        "message": _safe(verdict.why, mask),
        "evidence": _safe(verdict.evidence, mask),
        "time": write_date(time),
        "worker": {
            "taskQueueId": config.task_queue_id,
            "workerGroup": config.worker_group,
            "workerId": config.worker_id,
            "tcworker": __version__,
        },
    }
    return json.dumps(document, indent=2).encode()


def verdict_artifact(name: str, expires: datetime, content: bytes) -> GzippedArtifact:
    """Give what is published."""
    # Compressed here: it is little, and what is a gzip already waits for no slot that others' artifacts have.
    file = MemoryFile(name, gzip.compress(content, mtime=0))
    return GzippedArtifact(name, expires, file, "application/json", len(content))


def _safe(found: JSON, mask: Mask) -> JSON:
    """Mask what is in texts, and leave out what is more than anybody reads."""
    if isinstance(found, Mapping):
        return {mask(str(key)): _safe(value, mask) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_safe(value, mask) for value in found[:_MOST_ITEMS]]
    if found is None or isinstance(found, bool | int | float):
        return found
    # Somebody's feature may have evidence that is no JSON. Masked first: half a secret would not be found.
    return mask(str(found))[:_LONGEST_TEXT]
