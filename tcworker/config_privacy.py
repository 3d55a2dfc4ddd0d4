"""Keeps files of settings from tasks: they are strangers, and must not learn the worker's credentials."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from tcworker.config import Config, Source
from tcworker.errors import ConfigError, Fault, ProcessStatus


def keep_private(sources: Sequence[Source], config: Config) -> list[str]:
    """See that no other user reads the secrets in files; gives what the log should say about that.

    Where tasks run as other users than the worker, files that these could read get the mode 0600, as with the reference
    worker (contracts of generic-worker, 6). Raises L{ConfigError} if one cannot. Where tasks have the worker's own
    rights no mode keeps a file from them, and it is only said.
    """
    exposed = [source for source in sources if source.exposed is not None]
    if not _tasks_are_others(config):
        return [source.warning for source in exposed]
    faults = [*_close(exposed)]
    if faults:
        raise ConfigError(faults, ProcessStatus.EXPOSED_CONFIG)
    return [f"others could read {source.name}, which holds secrets: its mode is 0600 now" for source in exposed]


def _tasks_are_others(config: Config) -> bool:
    return config.task_users or config.task_user is not None


def _close(sources: Sequence[Source]) -> Iterator[Fault]:
    for source in sources:
        try:
            os.chmod(source.name, 0o600)
        except OSError as error:
            found = f"secrets that tasks could read (mode {source.exposed:04o}; closing it: {error.strerror})"
            yield Fault(source.name, found, "a file of mode 0600")
