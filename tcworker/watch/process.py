"""What looks after the process of a worker: within it, and the service manager that has started it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.application.service import MultiService

from tcworker.interfaces import JSON
from tcworker.watch.limits import allow_files
from tcworker.watch.stall import StallWatch
from tcworker.watch.systemd import Notifier, Notifying
from tcworker.worker import Worker

_MOST_NAMED = 8


def look_after(process: MultiService, reactor: Any, worker: Worker, environ: Mapping[str, str] = os.environ) -> None:
    """Have a worker's process looked after; to be called before its services start."""
    allow_files()
    StallWatch(reactor).setServiceParent(process)
    if (notifier := Notifier.of_environment(environ)) is None:
        return
    notifying = Notifying(
        reactor,
        notifier,
        status=lambda: in_a_line(worker.status()),
        trouble=lambda: "; ".join(worker.health.problems),
        busy=lambda: bool(worker.status()["runs"]),
    )
    notifying.setServiceParent(process)
    # Why a boot failed is told where the process ends.
    worker.when_booted().addCallbacks(lambda config: notifying.ready(), lambda failure: None)


def in_a_line(status: Mapping[str, JSON]) -> str:
    """Say how a worker stands, for people.

    @param status: see L{Worker.status}.
    """
    runs = [f"{run['taskId']}/{run['runId']}" for run in status["runs"]]
    more = [f"and {len(runs) - _MOST_NAMED} more"] if len(runs) > _MOST_NAMED else []
    what = f"runs {' '.join([*runs[:_MOST_NAMED], *more])}" if runs else "runs no task"
    trouble = [f"unwell: {problem}" for problem in status["problems"]]
    held = [f"claims nothing: {status['heldBack']}"] if status["heldBack"] else []
    return "; ".join([f"{status['state']}, {what}", *held, *trouble])
