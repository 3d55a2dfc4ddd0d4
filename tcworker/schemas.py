"""C{tcworker schema}: what a task's payload may be, for each platform that a worker has, and what a verdict is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime

from tcworker.assemble import check_sources, make_parts
from tcworker.config import Source, lay_over, so_far
from tcworker.feature.registry import FeatureSet
from tcworker.task.acceptance import Acceptance
from tcworker.task.payload import PayloadSchema
from tcworker.task.verdict_schema import VERDICT_SCHEMA

VERDICT = "verdict"
"""In the place of a platform's name."""


def acceptance_of(reactor: IReactorTime, sources: Sequence[Source] = ()) -> Acceptance:
    """Give what judges the payloads of a worker with such settings, without any source of one as it is by default.

    Raises L{tcworker.errors.ConfigError}.
    """
    # Of what a worker must be told, nothing is in the schema.
    settings = check_sources(reactor, sources).settings if sources else lay_over(sources)
    config = so_far(settings)
    parts = make_parts(reactor, config)
    return Acceptance(config, parts.platforms, FeatureSet(parts.features).schemas)


def as_text(schema: PayloadSchema) -> str:
    """Write a schema as it is published."""
    return _as_text(schema.schema)


def verdict_as_text() -> str:
    """The same for that of C{verdict.json}."""
    return _as_text(VERDICT_SCHEMA)


def _as_text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)
