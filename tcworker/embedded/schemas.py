"""Checking request bodies: JSON schemas compiled once, with missing values filled in from their defaults."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from jsonschema import Draft7Validator, FormatChecker, validators
from jsonschema.exceptions import ValidationError

from tcworker.embedded import dates
from tcworker.embedded.faults import ApiError
from tcworker.embedded.keywords import KEYWORDS
from tcworker.embedded.numbers import LARGEST
from tcworker.interfaces import JSON

Schema = Mapping[str, Any]

SLUGID = "^[A-Za-z0-9_-]{8}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]$"
NAME = "[a-zA-Z0-9-_]{1,38}"
WORKER_TYPE = "[a-z]([-a-z0-9]{0,36}[a-z0-9])?"
TASK_QUEUE = f"^{NAME}/{WORKER_TYPE}$"
PRINTABLE = "^[ -~]*$"
PRINTABLE_NAME = "^[ -~]+$"

DATE: Schema = {"type": "string", "format": "date-time"}
COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST}
NAME_38: Schema = {"type": "string", "pattern": "^([a-zA-Z0-9-_]*)$", "minLength": 1, "maxLength": 38}
PROJECT: Schema = {"type": "string", "pattern": "^([a-zA-Z0-9._/-]*)$", "minLength": 1, "maxLength": 500}
SCOPE: Schema = {"type": "string", "pattern": PRINTABLE}


def closed(properties: Mapping[str, Schema], *, required: Sequence[str] = ()) -> Schema:
    """Give the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


MOST_FAULTS = 50

FORMATS = FormatChecker(())

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")


@FORMATS.checks("date-time", raises=ValueError)
def _is_date(value: object) -> bool:
    """Whether it is a date of RFC 3339 that there is."""
    return not isinstance(value, str) or bool(_DATE_TIME.fullmatch(value) and dates.read(value))


@FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(_URI.fullmatch(value))


_Validator = validators.extend(Draft7Validator, KEYWORDS)


class Checker:
    """Checks what fits one schema. Patterns are for the whole of a value.

    @param secret: whether values must not stand in what is said of their faults.
    """

    def __init__(self, schema: Schema, *, secret: bool = False) -> None:
        self._schema = schema
        self._describe = _place if secret else _describe
        self._validator = _Validator(schema, format_checker=FORMATS)

    def check(self, body: JSON) -> JSON:
        """Give the body with its defaults. Raises L{ApiError} that lists its faults."""
        filled = _with_defaults(self._schema, body)
        faults = [self._describe(fault) for fault in islice(_leaves(self._validator.iter_errors(filled)), MOST_FAULTS)]
        if faults:
            listed = "\n".join(f"  * {fault}" for fault in faults)
            raise ApiError("InputValidationError", f"The body does not fit its schema:\n{listed}")
        return filled


def _with_defaults(schema: Schema, value: JSON) -> JSON:
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for name, part in schema.get("properties", {}).items():
        if name in filled:
            filled[name] = _with_defaults(part, filled[name])
        elif "default" in part:
            filled[name] = copy.copy(part["default"])
    return filled


def _leaves(faults: Iterator[ValidationError]) -> Iterator[ValidationError]:
    for fault in faults:
        if fault.context:
            yield from _leaves(iter(fault.context))
        else:
            yield fault


def _describe(fault: ValidationError) -> str:
    return f"{fault.json_path.replace('$', 'data', 1)}: {fault.message[:500]}"


def _place(fault: ValidationError) -> str:
    return f"{fault.json_path.replace('$', 'data', 1)} does not fit the schema's {fault.validator}"


class Variants:
    """Checks bodies that are of several kinds, told apart by one property."""

    def __init__(self, key: str, schemas: Mapping[str, Schema]) -> None:
        self._key = key
        self._checkers = {kind: Checker(schema) for kind, schema in schemas.items()}

    def check(self, body: JSON) -> JSON:
        """Give the body with its defaults. Raises L{ApiError} that lists its faults."""
        kind = body.get(self._key) if isinstance(body, dict) else None
        if not isinstance(kind, str) or kind not in self._checkers:
            known = ", ".join(self._checkers)
            raise ApiError("InputValidationError", f"data.{self._key}: {kind!r} is not one of {known}")
        return self._checkers[kind].check(body)
