"""The worker's settings: typed, checked, each knowing where it came from.

The keys and what they may hold are in L{tcworker.config_schema}; docs/configuration.md explains them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tcworker.config_faults import fitting, missing, raise_faults
from tcworker.config_schema import KEYS, NAMES, REQUIRED
from tcworker.config_source import Merged, Source, load_file, load_files, merge
from tcworker.config_without_effect import WITHOUT_EFFECT
from tcworker.interfaces import Credentials
from tcworker.networks import DENIED_BY_DEFAULT

__all__ = [
    "Config",
    "Merged",
    "Source",
    "field_of",
    "fitting",
    "lay_over",
    "load_file",
    "load_files",
    "missing",
    "parse",
    "raise_faults",
    "so_far",
    "usual_tasks_dir",
]

FEATURES = (
    "env",
    "artifacts",
    "max-run-time",
    "idle-output",
    "on-exit-status",
    "os-groups",
    "run-as-current-user",
    "resource-monitor",
    "metadata",
    "mounts",
    "not-here",
)
"""The built-in features, all of which a worker has by default."""


@dataclass(frozen=True)
class Config:
    """All settings of a worker; times in seconds, paths absolute.

    @ivar number_of_tasks_to_run: 0 for any number.
    @ivar idle_timeout_secs: 0 for never.
    @ivar required_disk_space_megabytes: of 2**20 bytes each; so are C{caches_max_megabytes}, 0 for any number.
    @ivar max_internal_errors: runs that end so in a row, after which the worker goes; 0 for any number.
    @ivar crash_pause_secs: in which nothing is claimed after workers have died twice in a row with one task in hand.
    @ivar shutdown_machine_on_idle: whether the host is to power the machine off behind a worker that was idle for too
        long; C{shutdown_machine_on_internal_error} is about one that ends with an internal error.
    @ivar status_poll_secs: how often the queue is asked whether tasks were cancelled, while there is no pulse.
    @ivar pulse: the address of the broker that tells of it, with the password.
    @ivar disable_native_payloads: whether tasks for the native platform are refused.
    @ivar enable_os_groups: whether tasks may ask for groups, C{enable_run_task_as_current_user} for the worker's user.
    @ivar enable_metadata: whether a file says which task the worker ran last.
    @ivar enable_mounts: whether tasks may have files, folders and caches mounted.
    @ivar mounts_strict_read_only: whether nothing can be changed in a mounted folder that is no cache.
    @ivar mounts_retry_secs: how long a download is tried that goes no further.
    @ivar mounts_deny_networks: from which nothing is downloaded that a task names, see L{tcworker.networks}.
    @ivar mounts_max_extracted_megabytes: of what one archive may become, of 1,048,576 bytes each.
    @ivar enable_live_log: whether logs can be followed while tasks run, by whoever shows them.
    @ivar caches_dir: where the folders of caches are, and C{downloads_dir} what was downloaded; when nobody says so,
        in C{state_dir}.
    @ivar logs_max_megabytes: of one task's log, of 1,000,000 bytes each.
    @ivar logs_mask: what is masked in every task's log: texts, and C{{"pattern": "…"}}.
    @ivar task_user: an account that native tasks run as; C{None} for the worker's own.
    @ivar task_users: whether each task has a user of its own; where nothing is set, if the worker is root and has no
        C{task_user}.
    @ivar task_uid_range: the first and the last number for those users.
    @ivar private_tmp: whether a task with a user of its own has its own /tmp, /var/tmp and /dev/shm.
    @ivar clean_up_task_dirs: whether what is left of a task is removed: its folder, and a user of its own.
    @ivar run_after_user_creation: a program that a task's user runs before the task; empty for none.
    @ivar limits_memory_mb: of one task, of 2**20 bytes each; C{None} for no limit, as with C{limits_pids} (processes
        and threads) and C{limits_cpus} (processors, of which a task may have a part).
    @ivar idle_output_timeout_secs: in which a task must print something; 0 for never.
    @ivar enable_resource_monitor: whether tasks are measured at all, and the machine's memory is watched.
    @ivar max_memory_usage_percent: of the machine's memory; with more in use, and less than
        C{min_available_memory_bytes} left, for longer than C{allowed_high_memory_duration_secs}, a task is ended.
    @ivar disable_oom_protection: whether it is only warned instead.
    @ivar inherit_env: names of the worker's own variables that tasks get.
    @ivar extensions: settings of somebody's own classes by their dotted names.
    @ivar ignored: keys that are there and have no effect on this worker (L{WITHOUT_EFFECT}).
    @ivar origins: the name of the source of each value, by its place; C{default} where none gave one.
    """

    root_url: str
    credentials: Credentials
    worker_type: str
    worker_id: str
    provisioner_id: str = "test-provisioner"
    worker_group: str = "test-worker-group"
    capacity: int = 1
    number_of_tasks_to_run: int = 0
    idle_timeout_secs: int = 0
    max_task_run_time: int = 86400
    required_disk_space_megabytes: int = 10240
    caches_max_megabytes: int = 0
    max_internal_errors: int = 10
    crash_pause_secs: float = 300
    shutdown_machine_on_idle: bool = False
    shutdown_machine_on_internal_error: bool = False
    create_object_artifacts: bool = False
    disable_native_payloads: bool = False
    enable_os_groups: bool = True
    enable_run_task_as_current_user: bool = True
    enable_metadata: bool = True
    enable_live_log: bool = True
    enable_mounts: bool = True
    mounts_strict_read_only: bool = False
    mounts_retry_secs: float = 120
    mounts_deny_networks: tuple[str, ...] = DENIED_BY_DEFAULT
    mounts_max_extracted_megabytes: int = 102_400
    kill_grace_secs: float = 5
    shutdown_grace_secs: float = 25
    status_poll_secs: float = 10
    pulse: str | None = field(default=None, repr=False)
    overlap_uploads: bool = True
    tasks_dir: str = field(default_factory=lambda: os.path.abspath("tasks"))
    state_dir: str = field(default_factory=lambda: os.path.abspath("state"))
    caches_dir: str = ""
    downloads_dir: str = ""
    logs_max_megabytes: int = 1000
    logs_mask: tuple[str | Mapping[str, str], ...] = field(default=(), repr=False)
    ca_bundle: str | None = None
    task_user: str | None = None
    task_users: bool = False
    task_uid_range: tuple[int, ...] = (40000, 49999)
    private_tmp: bool = True
    clean_up_task_dirs: bool = True
    run_after_user_creation: str = ""
    limits_memory_mb: int | None = None
    limits_pids: int | None = None
    limits_cpus: float | None = None
    idle_output_timeout_secs: int = 0
    enable_resource_monitor: bool = True
    max_memory_usage_percent: int = 90
    min_available_memory_bytes: int = 524288000
    allowed_high_memory_duration_secs: float = 5
    disable_oom_protection: bool = False
    inherit_env: tuple[str, ...] = ()
    host: str = "local"
    platforms: tuple[str, ...] = ("native",)
    features: tuple[str, ...] = FEATURES
    extensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    worker_type_metadata: Mapping[str, Any] = field(default_factory=dict)
    worker_location: str = ""
    instance_type: str = ""
    ignored: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, usual in (("caches_dir", "caches"), ("downloads_dir", "downloads")):
            object.__setattr__(self, name, getattr(self, name) or os.path.join(self.state_dir, usual))

    @property
    def refused_platforms(self) -> Mapping[str, str]:
        """The names of platforms whose tasks are refused, each with the key of the setting that says so."""
        return {"native": "disableNativePayloads"} if self.disable_native_payloads else {}

    @property
    def task_queue_id(self) -> str:
        """The queue that this worker takes its tasks from, which is also its worker pool's id."""
        return f"{self.provisioner_id}/{self.worker_type}"


READERS = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": tuple,
    "object": dict,
}
"""How a value that fits its schema becomes a field's; JSON may say 1.0 where a whole number is meant."""

_OF_CREDENTIALS = frozenset({"clientId", "accessToken", "certificate"})

PATHS = frozenset({"tasksDir", "stateDir", "cachesDir", "downloadsDir", "caBundle"})


def parse(sources: Sequence[Source]) -> Config:
    """Lay sources one over the other, later ones over earlier ones, and make settings of them.

    Raises L{ConfigError} with all faults there are. Relative paths start from the process's working directory, as with
    the reference worker.
    """
    merged = lay_over(sources)
    raise_faults(merged, whole=True)
    return _config(merged)


def so_far(merged: Merged) -> Config:
    """Make settings of what is there before a host has brought the rest; text that is missing is empty."""
    return _config(Merged({**dict.fromkeys(REQUIRED, ""), **merged.values}, merged.origins))


def lay_over(sources: Sequence[Source]) -> Merged:
    """Lay sources one over the other, later ones over earlier ones, unchecked."""
    return merge(sources, NAMES)


def usual_tasks_dir(task_users: bool, folder: str) -> str:
    """Where the folders of tasks are when nobody says so (contracts of generic-worker, 6).

    @param folder: the worker's own, where no user of a task may pass if the worker is root.
    """
    return "/home" if task_users else os.path.join(os.path.abspath(folder), "tasks")


def field_of(place: str) -> str:
    """Name the attribute of L{Config} that holds what stands at a place: C{worker_id} for C{workerId}.

    C{logs.maxMegabytes} is in C{logs_max_megabytes}, and C{clientId} in C{credentials.client_id}.
    """
    name = re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", place.replace(".", "_")).lower()
    return f"credentials.{name}" if place in _OF_CREDENTIALS else name


def _config(merged: Merged) -> Config:
    values = merged.values
    fields = {field_of(place): value for place, value in _readings(values)}
    task_users = fields.setdefault("task_users", os.geteuid() == 0 and "task_user" not in fields)
    fields.setdefault("tasks_dir", usual_tasks_dir(task_users, os.curdir))
    return Config(
        credentials=Credentials.from_json(values),
        ignored=tuple(sorted(WITHOUT_EFFECT.keys() & values.keys())),
        origins={key: merged.origin(key) or "default" for key in KEYS} | dict(merged.origins),
        **fields,
    )


def _readings(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each place that has a field of its own, and what goes into that."""
    for key in values.keys() & KEYS.keys() - _OF_CREDENTIALS:
        inner = KEYS[key].get("properties")
        if inner is None:
            yield key, _read(key, values[key])
        else:
            yield from ((f"{key}.{name}", READERS[inner[name]["type"]](value)) for name, value in values[key].items())


def _read(key: str, value: Any) -> Any:
    if key in PATHS:
        # Now: the working directory may be another one by the time the path is used, in a program of somebody's own.
        return os.path.abspath(value)
    if key == "rootURL":
        return value.rstrip("/")
    return READERS[KEYS[key]["type"]](value)
