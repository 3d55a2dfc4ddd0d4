"""The names of artifacts that are the worker's own to publish (contracts of generic-worker, 3)."""

from __future__ import annotations

from collections.abc import Callable

from tcworker.errors import NamingConflict
from tcworker.interfaces import Artifact, ErrorArtifact, FileArtifact
from tcworker.task.log_names import LogNames


class ReservedNames:
    """Those of one run: of its logs, and what features have reserved.

    @param logs: asked at each call, for the payload may not be checked yet; raises L{MalformedPayload}.
    """

    def __init__(self, logs: Callable[[], LogNames]) -> None:
        self._logs = logs
        self._of_features: set[str] = set()

    def add(self, name: str) -> None:
        """Reserve one for a feature. L{NamingConflict} if it is reserved already."""
        if name in self:
            raise NamingConflict(f'payload.logs: the worker publishes something else as "{name}"; rename the log')
        self._of_features.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._all()

    def keep_out(self, artifact: Artifact) -> bool:
        """Whether an artifact comes from the payload, and has such a name."""
        # The log itself comes as other kinds, which only the worker makes.
        return isinstance(artifact, FileArtifact | ErrorArtifact) and artifact.name in self

    def _all(self) -> set[str]:
        return self._of_features | self._logs().reserved
