"""What files hold, made into tasks: missing parts filled in, dependencies resolved, in an order that can be created."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import slugid
from jsonschema import Draft7Validator

from tcworker.embedded.queue.definition import DEFINITION
from tcworker.embedded.schemas import SLUGID
from tcworker.interfaces import JSON
from tcworker.local_run.files import TaskFile, UnusableFiles
from tcworker.task.claim import write_date
from tcworker.task.violations import describe

PROVISIONER_ID, WORKER_TYPE = "local", "tcworker-run"
TASK_QUEUE_ID = f"{PROVISIONER_ID}/{WORKER_TYPE}"
"""The queue that all tasks go through here, whatever their definitions say: there is one worker."""

SCOPES_OF_PAYLOADS = ["generic-worker:cache:*"]
"""What a task may do whose file has no place to say that."""

MAX_RUN_TIME = 3600
"""Seconds that a payload gets that stands alone and says nothing of it."""

OF_QUEUE = ("provisionerId", "workerType", "taskQueueId")


@dataclass(frozen=True)
class LocalTask:
    """One task, ready to be created.

    @ivar name: short, and no other task of the command has it.
    @ivar path: of its file, as it was given.
    """

    task_id: str
    name: str
    path: str
    definition: Mapping[str, Any]

    @property
    def dependencies(self) -> Sequence[str]:
        """The task ids that it waits for; in L{make_tasks}' answer all of them are tasks of the same command."""
        return self.definition.get("dependencies", ())  # type: ignore[no-any-return]  # from JSON, checked

    def is_called(self, name: str) -> bool:
        """Whether another file means this task by a name: its task id, its file with or without folder and ending."""
        return name in (self.task_id, self.name, self.path, os.path.basename(self.path))


def make_tasks(files: Sequence[TaskFile], now: datetime) -> list[LocalTask]:
    """Make one task group of files, in the order in which it can be created.

    Raises L{UnusableFiles} with all faults, those of reading among them.
    """
    named = list(zip(files, _names([file.path for file in files]), strict=True))
    tasks = [_task(file, name, now) for file, name in named if not file.faults]
    unread = [LocalTask(file.path, name, file.path, {}) for file, name in named if file.faults]
    faults = [fault for file in files for fault in file.faults]
    faults += [*_faults(tasks), *_same_ids(tasks), *_lost_dependencies(tasks, unread)]
    if faults:
        raise UnusableFiles(faults)
    tasks = [_with_ids_in_dependencies(task, tasks) for task in tasks]
    return [_of_group(task, tasks[0].task_id) for task in _in_order(tasks)]


def _names(paths: Sequence[str]) -> list[str]:
    names: list[str] = []
    for path in paths:
        stem = os.path.splitext(os.path.basename(path))[0]
        # They name folders of artifacts, too: a second a.yml must not get what a-2.yml has.
        others = sum(name == stem or name.startswith(f"{stem}-") for name in names)
        names.append(f"{stem}-{others + 1}" if stem in names else stem)
    return names


def _task(file: TaskFile, name: str, now: datetime) -> LocalTask:
    content = dict(file.content)
    task_id = str(content.pop("taskId", None) or slugid.nice())
    if "payload" not in content and {"command", "image"} & content.keys():
        # The payload must have a maxRunTime, which nobody writes for what he only wants to try.
        content = {"scopes": [*SCOPES_OF_PAYLOADS], "payload": {"maxRunTime": MAX_RUN_TIME, **content}}
    return LocalTask(task_id, name, file.path, _filled(content, name, now))


def _filled(definition: Mapping[str, Any], name: str, now: datetime) -> dict[str, Any]:
    metadata = {
        "name": name,
        "description": "",
        "owner": f"{_own_name()}@{socket.gethostname()}",
        "source": f"https://localhost/{quote(name)}",
    }
    own = definition.get("metadata", {})
    # What is not an object stays, so that it is told as a fault and not replaced in silence.
    return {
        "created": write_date(now),
        "deadline": write_date(now + timedelta(days=1)),
        **definition,
        "metadata": {**metadata, **own} if isinstance(own, dict) else own,
    }


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A user whom the machine does not know, in a container for example; newer versions of Python raise the latter.
        return str(os.getuid())


def _faults(tasks: Sequence[LocalTask]) -> Iterator[str]:
    """All that is wrong with each task by itself."""
    for task in tasks:
        if not re.fullmatch(SLUGID, task.task_id):
            found = f"found {task.task_id}, expected a slug of 22 characters, or no taskId at all"
            yield f"{task.path}: taskId: {found}"
        if "payload" in task.definition:
            yield from (f"{task.path}: {fault}" for fault in _faults_of_definition(task.definition))
        else:
            yield f"{task.path}: found neither a task definition (with payload) nor a payload (with command)"


def _faults_of_definition(definition: Mapping[str, Any]) -> Iterator[str]:
    # Names of other files are no task ids yet, so that they are looked at later.
    checked = {key: value for key, value in definition.items() if key != "dependencies"}
    for error in Draft7Validator(DEFINITION).iter_errors(checked):
        for message in describe(error, "task"):
            yield message.removeprefix("task.")
    if not _are_names(definition.get("dependencies", [])):
        yield "dependencies: expected a list of task ids and file names"


def _are_names(dependencies: JSON) -> bool:
    return isinstance(dependencies, list) and all(isinstance(name, str) for name in dependencies)


def _same_ids(tasks: Sequence[LocalTask]) -> list[str]:
    first: dict[str, str] = {}
    return [
        f"{task.path}: taskId: {task.task_id} is that of {first[task.task_id]}, too"
        for task in tasks
        if first.setdefault(task.task_id, task.path) != task.path
    ]


def _lost_dependencies(tasks: Sequence[LocalTask], unread: Sequence[LocalTask]) -> Iterator[str]:
    """What is named as a dependency and is not exactly one of the tasks.

    @param unread: stand for the files that could not be read.
    """
    for task in tasks:
        for index, name in enumerate(task.dependencies if _are_names(task.dependencies) else ()):
            # It may be the task id that such a file holds.
            if unread and re.fullmatch(SLUGID, name):
                continue
            meant = _meant(task, name, [*tasks, *unread])
            if len(meant) != 1:
                paths = ", ".join(other.path for other in meant)
                problem = f"could be any of {paths}" if meant else "is no task of this command"
                yield f"{task.path}: dependencies[{index}]: {name} {problem}"


def _meant(task: LocalTask, name: str, tasks: Sequence[LocalTask]) -> list[LocalTask]:
    """Find what a task means by a name, of which there should be one."""
    # The file beside comes first: in a tree of several projects each has its build.yml.
    beside = os.path.realpath(os.path.join(os.path.dirname(task.path), name))
    found = [other for other in tasks if os.path.realpath(other.path) == beside]
    return found or [other for other in tasks if other.is_called(name)]


def _with_ids_in_dependencies(task: LocalTask, tasks: Sequence[LocalTask]) -> LocalTask:
    if not task.dependencies:
        return task
    ids = [_meant(task, name, tasks)[0].task_id for name in task.dependencies]
    # The queue wants each once, but a task may be meant by several of its names.
    return replace(task, definition={**task.definition, "dependencies": list(dict.fromkeys(ids))})


def _in_order(tasks: Sequence[LocalTask]) -> list[LocalTask]:
    """Dependencies first, otherwise as given. Raises L{UnusableFiles} when tasks wait for each other."""
    ordered: dict[str, LocalTask] = {}
    waiting = list(tasks)
    while waiting:
        ready = next((task for task in waiting if all(required in ordered for required in task.dependencies)), None)
        if ready is None:
            paths = ", ".join(task.path for task in waiting)
            raise UnusableFiles([f"{task.path}: dependencies: a circle among {paths}" for task in waiting])
        ordered[ready.task_id] = ready
        waiting.remove(ready)
    return list(ordered.values())


def _of_group(task: LocalTask, group_id: str) -> LocalTask:
    own = {key: value for key, value in task.definition.items() if key not in OF_QUEUE}
    return replace(task, definition={**own, "taskQueueId": TASK_QUEUE_ID, "taskGroupId": group_id})
