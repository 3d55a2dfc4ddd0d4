"""Keywords of JSON schemas, checked in our own way: in a time that grows no faster than the body does.

What is checked comes from strangers. A list that is too long is not looked into, and texts, of which there may be
millions, are looked at more closely only where they are wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

Faults = Iterator[ValidationError]

_OF_TEXTS = {"type", "pattern", "minLength", "maxLength"}


def check_pattern(_: Any, pattern: str, value: object, __: Any) -> Faults:
    """Compare with the whole value: C{$} of Python's would let a newline pass."""
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def check_max_items(_: Any, most: int, value: object, __: Any) -> Faults:
    """Count, without telling everything that is there."""
    if isinstance(value, list) and len(value) > most:
        yield ValidationError(f"has {len(value)} items, and may have {most}")


def check_items(validator: Any, items: Mapping[str, Any], value: object, schema: Mapping[str, Any]) -> Faults:
    """Look at each item of a list."""
    if isinstance(value, list) and not _is_too_long(value, schema):
        yield from _descend(validator, items, enumerate(value))


def check_unique(_: Any, unique: bool, value: object, schema: Mapping[str, Any]) -> Faults:
    """Look for items that are there twice."""
    if not unique or not isinstance(value, list) or _is_too_long(value, schema):
        return
    if len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
        yield ValidationError("has non-unique elements")


def check_additional(validator: Any, additional: Any, value: object, schema: Mapping[str, Any]) -> Faults:
    """Look at the properties that the schema does not name."""
    if isinstance(additional, Mapping) and isinstance(value, dict):
        named = schema.get("properties", {})
        yield from _descend(validator, additional, (one for one in value.items() if one[0] not in named))
    else:
        yield from Draft7Validator.VALIDATORS["additionalProperties"](validator, additional, value, schema)


KEYWORDS: Mapping[str, Callable[..., Faults]] = {
    "pattern": check_pattern,
    "maxItems": check_max_items,
    "items": check_items,
    "uniqueItems": check_unique,
    "additionalProperties": check_additional,
}


def _descend(validator: Any, schema: Mapping[str, Any], parts: Any) -> Faults:
    fits = _quick(schema)
    for place, part in parts:
        if not fits(part):
            yield from validator.descend(part, schema, path=place)


def _is_too_long(items: list[Any], schema: Mapping[str, Any]) -> bool:
    return "maxItems" in schema and len(items) > int(schema["maxItems"])


def _quick(schema: Mapping[str, Any]) -> Callable[[object], bool]:
    """Give what is sure that a value fits a schema of texts, in a fiftieth of the time; it is sure of nothing else."""
    if schema.get("type") != "string" or schema.keys() - _OF_TEXTS:
        return lambda value: False
    matches = re.compile(schema.get("pattern", r"[\s\S]*")).fullmatch
    least, most = schema.get("minLength", 0), schema.get("maxLength")

    def fits(value: object) -> bool:
        if not isinstance(value, str) or len(value) < least or not matches(value):
            return False
        return most is None or len(value) <= most

    return fits
