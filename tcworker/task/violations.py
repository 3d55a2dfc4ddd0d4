"""What is wrong with a payload, in words that the author of a task understands; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from jsonschema import ValidationError

from tcworker.task.forms import IN_WORDS
from tcworker.task.keywords import marks_of

_TYPES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_LONGEST = 80
_MOST_UNKNOWN_KEYS = 101
"""One more than a payload's faults that are told, so that it shows if there are more."""

_JSON = json.JSONEncoder(ensure_ascii=False, default=str)


@dataclass(frozen=True)
class _Violation:
    """One violation of a schema, as far as it is of interest here.

    @ivar rule: the schema's keyword that is violated, C{limit}: what the schema has there.
    @ivar message: the validator's own words.
    """

    place: str
    rule: str
    limit: Any
    value: Any
    properties: Mapping[str, Any]
    message: str

    @classmethod
    def of(cls, error: ValidationError, root: str) -> _Violation:
        properties = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
        place = _path(root, error.absolute_path)
        return cls(place, str(error.validator), error.validator_value, error.instance, properties, error.message)


def describe(error: ValidationError, root: str) -> list[str]:
    """Say what one violation is, the path first: C{payload.command[0][1]: found 3 (a number), expected a string}.

    A violation that is several things to repair (two unknown keys, say) gives as many messages.

    @param root: what the whole document is called.
    """
    violation = _Violation.of(error, root)
    # jsonschema puts all unknown keys into one error; each has a nearest known one of its own.
    if violation.rule == "additionalProperties":
        return _unknown_keys(violation)
    if violation.rule in ("anyOf", "oneOf") and error.context:
        return _of_forms(violation, error.context, root)
    if violation.rule == "required":
        return [_missing(violation)]
    if violation.rule == "dependentRequired":
        return _missing_together(violation)
    return [f"{violation.place}: found {_found(violation)}, expected {_expected(violation)}"]


def _path(root: str, keys: Iterable[str | int]) -> str:
    return root + "".join(f"[{key}]" if isinstance(key, int) else f".{_cut(key)}" for key in keys)


def _unknown_keys(violation: _Violation) -> list[str]:
    known = sorted(violation.properties)
    extra = sorted(set(violation.value).difference(known))[:_MOST_UNKNOWN_KEYS]
    return [f"{violation.place}.{_cut(key)}: found an unknown key, expected {_nearest(key, known)}" for key in extra]


def _nearest(key: str, known: list[str]) -> str:
    near = get_close_matches(_cut(key), known, n=1)
    return f'perhaps "{near[0]}"' if near else f"one of {', '.join(known)}" if known else "nothing"


def _missing(violation: _Violation) -> str:
    # jsonschema reports each missing key on its own, but names it only in its message.
    key = next(key for key in violation.limit if violation.message.startswith(repr(key)))
    return f"{violation.place}.{key}: found nothing, expected {_kind_of_key(violation, key)}"


def _missing_together(violation: _Violation) -> list[str]:
    return [
        f"{violation.place}.{key}: found nothing, expected {_kind_of_key(violation, key)} since there is {other}"
        for other, needed in violation.limit.items()
        for key in needed
        if other in violation.value and key not in violation.value
    ]


def _kind_of_key(violation: _Violation, key: str) -> str:
    kind = violation.properties.get(key, {}).get("type")
    return _type_name(kind) if kind else "a value"


def _of_forms(violation: _Violation, context: Sequence[ValidationError], root: str) -> list[str]:
    """Say what is wrong with what has none of several forms."""
    marks = marks_of(violation.limit)
    if marks and isinstance(violation.value, dict):
        keys = ", ".join(marks)
        return [f"{violation.place}: found {_found(violation)}, expected an object with one of the keys {keys}"]
    return [message for inner in _nearest_branch(context) for message in describe(inner, root)]


def _nearest_branch(context: Iterable[ValidationError]) -> list[ValidationError]:
    """Find the alternative that fits best: the author most likely meant that one."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    return min(branches.values(), key=lambda errors: (sum(map(_weight, errors)), len(errors)))


def _weight(error: ValidationError) -> int:
    """How much a violation says that another alternative was meant: a wrong word or type more than a missing key."""
    return 4 if error.validator in ("enum", "const", "type") and len(error.path) <= 1 else 1


def _found(violation: _Violation) -> str:
    value = violation.value
    match violation.rule:
        case "minItems" | "maxItems":
            return f"{len(value)} items"
        case "minLength" | "maxLength":
            return f"{_show(value)} ({len(value)} characters)"
        case "type":
            return f"{_show(value)} ({_kind(value)})"
        case "uniqueItems":
            return f"{_show(value)} again"
    return _show(value)


def _kind(value: object) -> str:
    # Before the numbers, of which Python takes it to be one.
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    names = {str: "a string", dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _show(value: object) -> str:
    # No more of it than is shown becomes text: it may be as long as the whole payload.
    text, pieces = "", _JSON.iterencode(value[:_LONGEST] if isinstance(value, str) else value)
    while len(text) <= _LONGEST and (piece := next(pieces, "")):
        text += piece
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _expected(violation: _Violation) -> str:
    limit = violation.limit
    match violation.rule:
        case "type":
            return _type_name(limit)
        case "enum":
            return "one of " + ", ".join(map(_show, limit))
        case "const":
            return _show(limit)
        case "minimum" | "minItems" | "minLength":
            return f"{limit} or more"
        case "maximum" | "maxItems" | "maxLength":
            return f"{limit} at the most"
        case "uniqueItems":
            return "no item twice"
        case "pattern":
            return IN_WORDS.get(limit, f"text of the form {limit}")
        case "format" if limit == "date-time":
            return "a date with time and zone, such as 2030-01-31T12:00:00.000Z"
        case "format" if limit == "uri":
            return "an address such as https://example.com/file"
        case "oneOf":
            return "what fits exactly one of the known forms"
    return f"what fits {violation.rule}: {_show(limit)}"


def _type_name(types: str | list[str]) -> str:
    listed = [types] if isinstance(types, str) else types
    return " or ".join(_TYPES[name] for name in listed)
