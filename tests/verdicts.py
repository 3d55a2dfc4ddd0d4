"""What every verdict must be, whoever made it."""

from __future__ import annotations

import json

from jsonschema import Draft7Validator, FormatChecker

from tcworker.interfaces import JSON
from tcworker.task.verdict_schema import VERDICT_SCHEMA

_VALIDATOR = Draft7Validator(VERDICT_SCHEMA, format_checker=FormatChecker())


def read_verdict(content: bytes) -> JSON:
    """Read a C{verdict.json}; raises C{AssertionError} if it is not what docs/verdict.md says."""
    verdict = json.loads(content)
    faults = [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(verdict)]
    assert not faults, (faults, verdict)
    return verdict
