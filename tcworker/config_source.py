"""Where settings come from: files, hosts, programs; read, and laid one over the other."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tcworker.config_schema import SECRET
from tcworker.errors import ConfigError, Fault, ProcessStatus
from tcworker.interfaces import JSON


@dataclass(frozen=True)
class Source:
    """Settings from one place.

    @ivar name: as people know it: a file's path, C{host}, C{command line}.
    @ivar values: in the configuration's own names.
    @ivar exposed: the mode of a file that holds secrets and that others may read; C{None} for any other source.
    @ivar faults: why it could not be read; it has no values then.
    """

    name: str
    values: Mapping[str, Any] = field(repr=False)
    exposed: int | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def warning(self) -> str:
        """What to say of it, if it is exposed."""
        mode = "" if self.exposed is None else f" (mode {self.exposed:04o})"
        return f"{self.name} holds secrets and others may read it{mode}; chmod 600 it"


def load_files(paths: Sequence[str]) -> list[Source]:
    """Read files of settings; one that cannot be read keeps its faults, to be told with those of the others."""
    return [_load_or_keep_faults(path) for path in paths]


def _load_or_keep_faults(path: str) -> Source:
    try:
        return load_file(path)
    except ConfigError as error:
        return Source(path, {}, faults=error.faults)


def load_file(path: str) -> Source:
    """Read a file of settings, YAML or JSON. Raises L{ConfigError} when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            # Of the file that is read, which the path may not name a moment later.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            values = _parse(file.read())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TwiceError) as error:
        fault = Fault(path, _why(error), "a readable file of YAML or JSON")
        raise ConfigError([fault], ProcessStatus.UNUSABLE_CONFIG) from None
    faults = _shape_faults(path, values)
    if faults:
        raise ConfigError(faults, ProcessStatus.UNUSABLE_CONFIG)
    return Source(path, values or {}, mode if _holds_secrets(values or {}) and mode & 0o077 else None)


def _holds_secrets(values: Mapping[str, Any]) -> bool:
    folded = {key.casefold(): value for key, value in values.items()}
    places = (secret.partition(".") for secret in SECRET)
    # Only names of the first level may be spelled in any way.
    return any(
        outer.casefold() in folded and (not inner or inner in (folded[outer.casefold()] or ()))
        for outer, _, inner in places
    )


class TwiceError(Exception):
    """One key stands twice in an object of JSON."""


class Loader(yaml.SafeLoader):
    """YAML in which no key stands twice in an object."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse the second of two equal keys."""
        # Not later: what << merges into an object may well have keys of the same names.
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key {key.value} for the second time"
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return node


def no_key_twice(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    """Make an object of JSON's pairs, as C{object_pairs_hook}; raises L{TwiceError}."""
    values = dict(pairs)
    for key, _ in pairs if len(values) < len(pairs) else ():
        if sum(key == other for other, _ in pairs) > 1:
            raise TwiceError(f"the key {key} twice")
    return values


def _parse(text: str) -> JSON:
    # Tabs may indent JSON but not YAML.
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=no_key_twice)
        except json.JSONDecodeError:
            pass
    return yaml.load(text, Loader)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "an error of the system"
    if isinstance(error, TwiceError):
        return str(error)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        # What the parser quotes may be part of a secret.
        problem = re.sub(r"'.*'", "'…'", error.problem or "a mistake")
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {problem}"
    return "bytes that are not text in UTF-8"


def _shape_faults(path: str, values: JSON) -> list[Fault]:
    if values is None:
        return []
    if not isinstance(values, dict):
        return [Fault(path, type_name(values), "keys with values")]
    return [Fault(path, f"the key {key!r}", "keys that are text") for key in values if not isinstance(key, str)]


def type_name(value: JSON) -> str:
    """Say what kind of value something is, without showing it."""
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "text"),
        (dict, "an object"),
        (list, "a list"),
        (type(None), "nothing"),
    ]
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


@dataclass(frozen=True)
class Merged:
    """Settings of several sources laid one over the other.

    @ivar origins: the name of the source of each value, by its place: C{logs.maxMegabytes}.
    """

    values: Mapping[str, Any] = field(repr=False)
    origins: Mapping[str, str]

    def origin(self, place: str) -> str | None:
        """Name the source that a place, or the nearest one around it, came from."""
        # A key that is missing or unknown in an object has no origin; the object has one.
        while place and place not in self.origins:
            place = place.rpartition(".")[0]
        return self.origins.get(place)

    def locate(self, path: Sequence[str | int]) -> str:
        """Write a place in the settings as people read it: C{worker.yml: platforms[0]}."""
        place = ""
        for step in path:
            place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
        origin = self.origin(place.partition("[")[0])
        return f"{origin}: {place}" if origin else place


def merge(sources: Sequence[Source], names: Mapping[str, str]) -> Merged:
    """Lay sources one over the other: later ones win, objects are merged, null takes a setting away.

    @param names: the right spelling of the keys of the first level, by their case-folded form: the reference worker,
        and worker-runner with it, does not care for case.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in sources:
        spelled = {names.get(key.casefold(), key): value for key, value in source.values.items()}
        _lay_over(values, origins, spelled, source.name, "")
    return Merged(values, origins)


def _lay_over(below: dict[str, Any], origins: dict[str, str], above: Mapping[str, Any], name: str, place: str) -> None:
    for key, value in above.items():
        here = f"{place}{key}"
        # What came from below is gone, and so must be where it came from.
        if not (isinstance(value, Mapping) and isinstance(below.get(key), dict)):
            _forget(below, origins, key, here)
        if isinstance(value, Mapping):
            below[key] = dict(below.get(key, {}))
            origins.setdefault(here, name)
            _lay_over(below[key], origins, value, name, f"{here}.")
        elif value is not None:
            below[key] = value
            origins[here] = name


def _forget(values: dict[str, Any], origins: dict[str, str], key: str, place: str) -> None:
    values.pop(key, None)
    for known in [known for known in origins if known == place or known.startswith(f"{place}.")]:
        del origins[known]
