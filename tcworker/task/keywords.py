"""Keywords and formats of payload schemas that are checked in our own way; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from tcworker.task.claim import read_date

Faults = Iterator[ValidationError]

FORMATS = FormatChecker(formats=())

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+\Z")


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    if isinstance(value, str):
        read_date(value)
        # JSON schema wants a time and a zone, which the reader of dates does not.
        return "T" in value.upper() and (value[-1] in "zZ" or "+" in value or value.count("-") > 2)
    return True


@FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or _URI.match(value) is not None


def check_pattern(_: Any, pattern: str, value: object, __: Any) -> Faults:
    """Look for what a pattern means in JavaScript: Python's C{$} would let a newline pass."""
    if isinstance(value, str) and not _compile(pattern).search(value):
        yield ValidationError(f"does not match {pattern}")


def check_unique(_: Any, unique: bool, value: object, __: Any) -> Faults:
    """Name each item that is there before, in a time that grows no faster than the list does."""
    if not unique or not isinstance(value, list):
        return
    seen = set()
    for index, item in enumerate(value):
        text = json.dumps(item, sort_keys=True)
        if text in seen:
            yield ValidationError("is there before", path=[index], instance=item)
        seen.add(text)


def marks_of(forms: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """The keys of objects that tell which of several forms they have; none if they do not tell all of them."""
    marks = [key for form in forms for key in form.get("required", ())[:1]]
    return marks if len(set(marks)) == len(forms) else ()


def check_one_of(validator: Any, forms: Sequence[Mapping[str, Any]], value: object, schema: Any) -> Faults:
    """Hold an object against the form that its keys tell, the first that is there, and against no other.

    Each form is closed, so that it could not have another one as well (contracts of generic-worker, 1). What has none
    of the keys is judged as ever.
    """
    marks = marks_of(forms)
    present = [number for number, mark in enumerate(marks) if mark in value] if isinstance(value, dict) else []
    if present:
        yield from validator.descend(value, forms[present[0]], schema_path=present[0])
    else:
        yield from Draft202012Validator.VALIDATORS["oneOf"](validator, forms, value, schema)


KEYWORDS: Mapping[str, Callable[..., Faults]] = {
    "pattern": check_pattern,
    "uniqueItems": check_unique,
    "oneOf": check_one_of,
}


@lru_cache
def _compile(pattern: str) -> re.Pattern[str]:
    ends = pattern.endswith("$") and not pattern.endswith("\\$")
    return re.compile(pattern[:-1] + r"\Z" if ends else pattern, re.ASCII)
