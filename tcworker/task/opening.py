"""The lines of the worker at the beginning and at the end of a task's log (contracts of generic-worker, 2)."""

from __future__ import annotations

import json
import platform

from tcworker import __version__
from tcworker.config import Config
from tcworker.interfaces import ITaskContext


def opening_lines(context: ITaskContext, config: Config) -> None:
    """Say what runs the task."""
    # Tools that read logs look for these lines in this form.
    metadata = {
        **config.worker_type_metadata,
        "tcworker": {"version": __version__, "python": platform.python_version()},
    }
    context.log.info(f"Worker Type ({config.task_queue_id}) settings:\n{json.dumps(metadata, indent=2)}")
    context.log.info(f"Task ID: {context.task_id}")
    context.log.info("=== Task Starting ===")


def closing_lines(context: ITaskContext, seconds: float) -> None:
    """Say that nothing of the task runs any more."""
    context.log.info("=== Task Finished ===")
    context.log.info(f"Task Duration: {seconds:.3f}s")
