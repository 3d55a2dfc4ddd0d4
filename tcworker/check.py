"""C{tcworker check}: the settings that a worker would have, each with where it came from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from operator import attrgetter

from tcworker.config import Config, field_of
from tcworker.config_schema import KEYS, SECRET
from tcworker.config_without_effect import WITHOUT_EFFECT
from tcworker.interfaces import JSON

HIDDEN = "(not shown)"


def report(config: Config, missing: Collection[str] = ()) -> Iterator[str]:
    """Give a line for each setting: valid YAML, its origin as the comment; then what has no effect, and why.

    @param missing: the keys that the host has still to bring.
    """
    keys = [key for key in KEYS if key not in missing]
    # JSON is YAML, and leaves no doubt about what is text and what a number.
    lines = {f"{key}: {json.dumps(_value(config, key))}": config.origins.get(key, "default") for key in keys}
    # One long value shall not push the comments of all others out of sight.
    width = min(60, max(map(len, lines)))
    for line, origin in lines.items():
        yield f"{line:{width}}  # {origin}"
    for key in missing:
        yield f"# {key}: still open, the host {config.host} must bring it"
    for key in config.ignored:
        yield f"# {key}: no effect here, because {WITHOUT_EFFECT[key].reason}  ({config.origins[key]})"


def _value(config: Config, key: str) -> JSON:
    inner = KEYS[key].get("properties")
    if inner is not None:
        return {name: _value_at(config, f"{key}.{name}") for name in inner}
    return _value_at(config, key)


def _value_at(config: Config, place: str) -> JSON:
    value = attrgetter(field_of(place))(config)
    return _without_values(value) if place in SECRET and value else value


def _without_values(value: JSON) -> JSON:
    """Names are no secrets, what stands under them may be."""
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN
