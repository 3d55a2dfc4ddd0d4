"""C{tcworker check}: the settings that a worker would have, each with where it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tcworker.client.routes import snake_case
from tcworker.config import Config
from tcworker.config_schema import KEYS, SECRET
from tcworker.interfaces import JSON

HIDDEN = "(not shown)"

_ELSEWHERE = {
    "clientId": lambda config: config.credentials.client_id,
    "accessToken": lambda config: config.credentials.access_token,
    "certificate": lambda config: config.credentials.certificate,
    "logs": lambda config: {"maxMegabytes": config.logs_max_megabytes},
}
"""The keys that have no field of their own name."""


def report(config: Config) -> Iterator[str]:
    """Give a line for each setting: valid YAML, its origin as the comment; then what is accepted without effect."""
    lines = {f"{key}: {_shown(key, _value(config, key))}": config.origins.get(key, "default") for key in KEYS}
    width = min(60, max(map(len, lines)))
    for line, origin in lines.items():
        yield f"{line:{width}}  # {origin}"
    for key in config.ignored:
        yield f"# {key}: accepted, without effect here  ({config.origins.get(key, 'default')})"


def _value(config: Config, key: str) -> JSON:
    return _ELSEWHERE[key](config) if key in _ELSEWHERE else getattr(config, snake_case(key))


def _shown(key: str, value: JSON) -> str:
    if key in SECRET and value:
        return _without_values(value)
    return json.dumps(value)


def _without_values(value: JSON) -> str:
    """Names are no secrets, what stands under them may be."""
    return json.dumps(dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN)
