"""A file that says which task the worker ran last (contracts of generic-worker, 6)."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.config import Config
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IEngine, IFeature, ITaskContext, ITaskFeature

NAME = "generic-worker-metadata.json"

_log = Logger()


@implementer(IFeature)
class MetadataFeature:
    """Writes where the newest task can be seen into the working directory that the worker was started in.

    @param config: C{enable_metadata} is used.
    """

    name = "metadata"
    schema: Mapping[str, Any] = {"properties": {}, "required": []}
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        self._enabled = config.enable_metadata
        # Now: the working directory may be another one by the time a task comes.
        self._path = os.path.abspath(NAME)

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        return _Metadata(context, self._path) if self._enabled else None


class _Metadata(TaskFeature):
    def __init__(self, context: ITaskContext, path: str) -> None:
        self._context = context
        self._path = path

    def load(self, engine: IEngine) -> Deferred[None]:
        context = self._context
        url = f"{context.root_url}/tasks/{context.task_id}/runs/{context.run_id}"
        # Few bytes, and nothing waits for the disk: no thread is needed.
        try:
            _replace(self._path, json.dumps({"lastTaskUrl": url}).encode())
        except OSError as error:
            _log.warn("{path} cannot be written: {error}", path=self._path, error=error.strerror, run=context.name)
        return succeed(None)


def _replace(path: str, content: bytes) -> None:
    """Write a file that others may read at any time, so that they find the old one or the new one whole."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{NAME}-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(content)
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
