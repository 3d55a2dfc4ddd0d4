"""The variables that a task starts with (contracts of generic-worker, section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def inherited(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Those of the worker's own variables that the configuration passes on; what is secret never is."""
    return {name: environ[name] for name in names if name in environ and not _is_private(name)}


def task_environment(
    folder: str, user: str, from_worker: Mapping[str, str], of_task: Mapping[str, str]
) -> dict[str, str]:
    """Put the variables of a task together, the later over the earlier."""
    defaults = {"HOME": folder, "PATH": PATH, "USER": user, "LOGNAME": user}
    # A task may choose its own PATH and HOME, but where its folder is is a fact.
    return {**defaults, **from_worker, **of_task, "TASK_WORKDIR": folder}


def _is_private(name: str) -> bool:
    return name.startswith("TASKCLUSTER_") or name == "NOTIFY_SOCKET"
