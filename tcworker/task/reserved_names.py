"""The names of artifacts that are the worker's own to publish (contracts of generic-worker, 3)."""

from __future__ import annotations

from tcworker.errors import NamingConflict
from tcworker.interfaces import Artifact, ReferenceArtifact


class ReservedNames:
    """Those of one run."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._held: set[str] = set()

    def add(self, name: str) -> None:
        """Reserve one. L{NamingConflict} if it is reserved already."""
        if name in self:
            raise NamingConflict(f'payload.logs: the worker publishes something else as "{name}"; rename the log')
        self._names.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def check(self, artifact: Artifact) -> None:
        """Raise L{NamingConflict} for an artifact of somebody else under such a name."""
        if artifact.name not in self:
            return
        # A reference holds the place of a log that still grows.
        if not isinstance(artifact, ReferenceArtifact):
            raise NamingConflict(f"artifact {artifact.name}: the name is reserved for something else; use another one")
        self._held.add(artifact.name)

    def is_held(self, name: str) -> bool:
        """Whether somebody holds the place of what the worker is to publish under a name."""
        return name in self._held
