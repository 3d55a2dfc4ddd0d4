"""A picture of what tasks could leave behind on a machine, to be compared with another one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import suppress
from glob import glob

from tcworker.testing.engines import traces

SHARED = (
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/dev/mqueue",
    "/var/mail",
    "/var/spool/cron",
    "/var/spool/cron/crontabs",
    "/home",
)
"""Folders in which any user can leave something, or have it left."""

Picture = Mapping[str, frozenset[str]]
"""By the kind of things: what there is of them."""


def take_picture(tasks_dir: str, state_dir: str, uids: range) -> Picture:
    """Look at all that tasks of a worker could leave.

    Others are at work on the same machine: what is theirs does not count.

    @param tasks_dir: where the worker has folders of tasks; C{state_dir}: what it remembers of them.
    @param uids: the users that are the tasks'.
    """
    return {
        "processes": frozenset(_processes(uids)),
        "users": frozenset(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid in uids),
        "groups": frozenset(_groups(uids)),
        "files": frozenset(
            [*_in(tasks_dir), *_in(f"{tasks_dir}/.undeletable"), *_in(f"{state_dir}/runs"), *_files_of(uids)]
        ),
        "IPC objects": frozenset(_ipc(uids)),
        "mounts": frozenset(_mounts(tasks_dir)),
        "descriptors": frozenset(_counted(traces.descriptors())),
        # Those of a pool by its name: it makes more as it needs them, up to its limit.
        "threads": frozenset(name.rstrip("-0123456789") for name in traces.threads()),
    }


def grown(before: Picture, after: Picture) -> Mapping[str, list[str]]:
    """What there is more in the second of two pictures."""
    more = {kind: sorted(things - before[kind]) for kind, things in after.items()}
    return {kind: things for kind, things in more.items() if things}


def control_groups_of(pids: set[int]) -> frozenset[str]:
    """The families of a launcher's control groups (L{tcworker.launcher.server}) that some processes are in."""
    found = set()
    for pid in pids:
        with suppress(OSError), open(f"/proc/{pid}/cgroup") as file:
            names = (os.path.basename(line.rstrip()) for line in file)
            found.update(name.rpartition("_")[0] for name in names if name.startswith("tcworker_"))
    return frozenset(found)


def control_groups(families: frozenset[str]) -> list[str]:
    """The control groups of some families that there are, with those within."""
    return [path for path in _folders("/sys/fs/cgroup") if any(f"/{family}_" in path for family in families)]


def descendants() -> set[int]:
    """The processes that this one started, and those that these did."""
    return {int(line.partition(" ")[0]) for line in traces.processes()}


def _folders(top: str) -> Iterator[str]:
    for path, _, _ in os.walk(top):
        yield path


def _processes(uids: range) -> Iterator[str]:
    # Those of the worker by what they are: a pool of them may grow.
    for line in traces.processes():
        yield line.partition(" ")[2].strip() or f"a dead one, {line}"
    for path in glob("/proc/[0-9]*"):
        with suppress(OSError):
            if os.stat(path).st_uid in uids:
                yield f"of the user {os.stat(path).st_uid}: {path}"


def _groups(uids: range) -> Iterator[str]:
    with open("/etc/group") as file:
        for line in file:
            name, _, number, members = line.rstrip("\n").split(":")
            if int(number) in uids or any(_is_of(uids, each) for each in (name, *members.split(","))):
                yield line.rstrip("\n")


def _is_of(uids: range, name: str) -> bool:
    """Whether a name is that of one of the users, or of its group."""
    number = name.removeprefix("task_")
    return number != name and number.isdigit() and int(number) in uids


def _in(folder: str) -> Iterator[str]:
    with suppress(OSError):
        yield from (os.path.join(folder, name) for name in os.listdir(folder))


def _files_of(uids: range) -> Iterator[str]:
    for path in (path for place in SHARED for path in _in(place)):
        with suppress(OSError):
            if os.lstat(path).st_uid in uids:
                yield path


def _ipc(uids: range) -> Iterator[str]:
    for kind, column in (("shm", 7), ("sem", 4), ("msg", 7)):
        with suppress(OSError), open(f"/proc/sysvipc/{kind}") as file:
            next(file)
            for fields in map(str.split, file):
                if int(fields[column]) in uids:
                    yield f"{kind} {fields[1]} of the user {fields[column]}"


def _mounts(tasks_dir: str) -> Iterator[str]:
    with open("/proc/self/mountinfo") as file:
        for line in file:
            point = line.split()[4]
            if point.startswith(f"{tasks_dir}/") or point in SHARED:
                yield line.strip()


def _counted(things: object) -> Iterator[str]:
    """Each thing with its number, so that a second one of a kind is another."""
    counts: dict[str, int] = {}
    assert isinstance(things, list)
    for thing in things:
        counts[thing] = counts.get(thing, 0) + 1
        yield f"{thing} ({counts[thing]})"
