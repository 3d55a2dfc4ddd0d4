"""The schema of payloads, put together from what each platform and feature wants to read; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from tcworker.errors import MalformedPayload
from tcworker.task.keywords import FORMATS, KEYWORDS
from tcworker.task.violations import describe

_Validator = extend(Draft202012Validator, KEYWORDS)

MOST_VALUES = 50_000
"""How many values the lists and objects of a payload may have in all: the check takes some microseconds for each."""

_SOON_CHECKED = 2000
"""As many are checked in no more than 10 ms."""

_MOST_FAULTS = 100

SHARED = "features"
"""The one object of the payload that several owners may have keys in."""

_DEFINITIONS = "$defs"


class PayloadSchema:
    """What a payload must look like for one platform and the features of a worker.

    @param slices: the name of a platform or feature, and its slice: a JSON schema's C{properties} and C{required}, and
        in C{$defs} what these refer to.
    @param title: what the whole schema is called.
    @raise ValueError: two owners want the same key.
    """

    def __init__(self, slices: Mapping[str, Mapping[str, Any]], title: str = "The payload of a task") -> None:
        self._schema = {"$schema": Draft202012Validator.META_SCHEMA["$id"], "title": title, **_join(slices)}
        # To look them up for every value takes longer than the check.
        whole = _inline(self._schema, self._schema.get(_DEFINITIONS, {}))
        self._validator = _Validator(whole, format_checker=FORMATS)

    @property
    def schema(self) -> Mapping[str, Any]:
        """The whole JSON schema."""
        return self._schema

    def check(self, payload: object) -> None:
        """Raise L{MalformedPayload} with a message for each violation, its path first; of very many for some.

        May be called in a thread.
        """
        if _has_more_values(payload, MOST_VALUES):
            raise MalformedPayload(
                f"payload: found more values in its lists and objects than allowed, expected {MOST_VALUES} at the most"
            )
        try:
            found = sorted(islice(self._validator.iter_errors(payload), _MOST_FAULTS + 1), key=_order)
            messages = list(dict.fromkeys(message for error in found for message in describe(error, "payload")))
        except RecursionError:
            raise MalformedPayload("payload: found lists and objects too deep in one another") from None
        if len(messages) > _MOST_FAULTS:
            messages[_MOST_FAULTS:] = [f"payload: there are more faults than these {_MOST_FAULTS}"]
        if messages:
            raise MalformedPayload(*messages)


def is_soon_checked(payload: object) -> bool:
    """Whether the check of a payload takes so little time that nobody is held up by it."""
    return not _has_more_values(payload, _SOON_CHECKED)


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Put definitions where they are referred to."""
    if isinstance(schema, list):
        return [_inline(each, definitions) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    inner = {key: _inline(value, definitions) for key, value in schema.items() if key not in ("$ref", _DEFINITIONS)}
    if "$ref" not in schema:
        return inner
    return {**_inline(definitions[schema["$ref"].removeprefix(f"#/{_DEFINITIONS}/")], definitions), **inner}


def _has_more_values(payload: object, most: int) -> bool:
    values, found = [payload], 0
    while values:
        inside = _inside(values.pop())
        found += len(inside)
        # Before they are looked at: there may be millions.
        if found > most:
            return True
        values.extend(inside)
    return False


def _inside(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _order(error: ValidationError) -> list[tuple[str, int]]:
    return [("", key) if isinstance(key, int) else (key, 0) for key in error.absolute_path]


def _join(slices: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Put slices together to one closed object; C{features} is the union of what each slice has there."""
    # Closed, for a key that nobody reads is a slip whose author would wait for its effect.
    joined: dict[str, Any] = _claim_keys(slices, "payload")
    shared = {owner: part["properties"][SHARED] for owner, part in slices.items() if _shares(part)}
    if shared:
        described = {"description": "What is switched on or off for the task.", "default": {}}
        joined["properties"][SHARED] = described | _claim_keys(shared, f"payload.{SHARED}")
    if definitions := {owner: {"properties": part[_DEFINITIONS]} for owner, part in slices.items() if _defines(part)}:
        joined[_DEFINITIONS] = _claim_keys(definitions, _DEFINITIONS)["properties"]
    return joined


def _claim_keys(slices: Mapping[str, Mapping[str, Any]], place: str) -> dict[str, Any]:
    owners: dict[str, str] = {}
    properties: dict[str, Any] = {}
    required: set[str] = set()
    for owner, part in slices.items():
        required.update(part.get("required", ()))
        for key, schema in part.get("properties", {}).items():
            # "features" is put together from all slices afterwards.
            if key in owners and key != SHARED:
                raise ValueError(f"{place}.{key} is wanted by both {owners[key]} and {owner}")
            owners[key], properties[key] = owner, schema
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        "additionalProperties": False,
    }


def _shares(part: Mapping[str, Any]) -> bool:
    return SHARED in part.get("properties", {})


def _defines(part: Mapping[str, Any]) -> bool:
    return _DEFINITIONS in part
