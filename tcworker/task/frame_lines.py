"""The lines of the worker at the beginning and at the end of a task's log (contracts of generic-worker, 2)."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from typing import Any

from tcworker import __version__
from tcworker.config import Config
from tcworker.interfaces import ITaskContext


def opening_lines(context: ITaskContext, config: Config) -> None:
    """Say what runs the task."""
    # Tools that read logs look for these lines in this form.
    metadata = {**config.worker_type_metadata, "tcworker": _about(config)}
    context.log.info(f"Worker Type ({config.task_queue_id}) settings:\n{json.dumps(metadata, indent=2)}")
    context.log.info(f"Task ID: {context.task_id}")
    context.log.info("=== Task Starting ===")


def _about(config: Config) -> Mapping[str, Any]:
    """What a reader may want to know of the worker, under its own name: it is not the reference worker."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        "os": platform.system(),
        "arch": platform.machine(),
        "platforms": config.platforms,
        "config": {"capacity": config.capacity},
    }


def closing_lines(context: ITaskContext, seconds: float) -> None:
    """Say that nothing of the task runs any more."""
    context.log.info("=== Task Finished ===")
    context.log.info(f"Task Duration: {seconds:.3f}s")
