"""What the configuration says of tasks' users."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tcworker.config import Config
from tcworker.engine.native.helpers import missing_programs
from tcworker.engine.native.task_user import find_user
from tcworker.engine.native.uids import OUT_OF_USE
from tcworker.engine.native.users import OneUser, OwnUsers, Users
from tcworker.errors import ConfigError, Fault


def choose_users(config: Config, own: OwnUsers) -> Users:
    """Give what a configuration asks for. Raises L{ConfigError}."""
    if not config.task_users:
        return OneUser(find_user(config.task_user))
    if faults := list(_faults(config)):
        raise ConfigError(faults)
    return own


def _faults(config: Config) -> Iterator[Fault]:
    if os.geteuid() != 0:
        yield Fault("taskUsers", "true", "false, since only root can make users")
    if config.task_user is not None:
        yield Fault("taskUsers", "true", f"false, since all tasks shall run as {config.task_user} (taskUser)")
    if set(config.tasks_dir) & set(":\n"):
        yield Fault("tasksDir", config.tasks_dir, "a path that can be a user's home, without : and newlines")
    first, last = config.task_uid_range
    least = OUT_OF_USE + 2 * config.capacity
    if last - first + 1 < least:
        found = f"{first} to {last}"
        yield Fault("taskUidRange", found, f"{least} numbers or more: each rests while {OUT_OF_USE} others are used")


def check_programs() -> None:
    """Make sure that there is what users are made with. Raises L{ConfigError}."""
    if programs := missing_programs():
        expected = f"a machine with {', '.join(programs)} (Debian: package passwd), or false"
        raise ConfigError([Fault("taskUsers", "true", expected)])
