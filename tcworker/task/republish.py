"""Content that is published again and again under one name, each time whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from tcworker.client.http import HTTP
from tcworker.interfaces import GzippedArtifact
from tcworker.task.claim import write_date
from tcworker.task.patience import Patience
from tcworker.task.s3_upload import S3Upload
from tcworker.task.upload import Content, Run

T = TypeVar("T")


class _NoPatience(Patience):
    """Tries once: whoever publishes again and again has something newer to try again with."""

    async def persist(self, what: str, attempt: Callable[[], Coroutine[Any, Any, T]], tries: float = math.inf) -> T:
        """See L{Patience.persist}; raises what the try failed with."""
        return await attempt()


class Republisher:
    """Publishes a run's content in the place of earlier content; to S3, for an object is what it is for ever."""

    def __init__(self, http: HTTP, run: Run) -> None:
        patience = run.patience
        once = _NoPatience(patience.clock, patience.time_left, patience.backoff)
        self._upload = S3Upload(http, replace(run, patience=once))

    async def publish(self, artifact: GzippedArtifact) -> None:
        """Publish it; see L{tcworker.task.context.IRunContext.republish}."""
        content = Content(artifact.name, artifact.file, artifact.content_type, "gzip", artifact.length)
        await self._upload.send(content, write_date(artifact.expires))
