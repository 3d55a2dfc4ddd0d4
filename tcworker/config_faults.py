"""What is wrong with a configuration, in words; never with a secret in them."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tcworker.amqp.address import read_address
from tcworker.config_schema import KEYS, REQUIRED, SCHEMA, SHORTEST_MASK, may_be_shown
from tcworker.config_source import Merged, type_name
from tcworker.errors import ConfigError, Fault, ProcessStatus
from tcworker.interfaces import JSON
from tcworker.json_reading import is_object
from tcworker.line_pattern import PatternFault, compile_pattern
from tcworker.networks import Networks


def raise_faults(merged: Merged, *, whole: bool) -> None:
    """Raise L{ConfigError} with every fault there is.

    @param whole: whether these are all settings, so that what is required must be there.
    """
    errors = list(Draft202012Validator(SCHEMA).iter_errors(merged.values))
    unknown = [
        fault for error in errors if error.validator == "additionalProperties" for fault in _unknown(merged, error)
    ]
    unfit = [_unfit(merged, error) for error in errors if error.validator != "additionalProperties"]
    unfit.extend(_own_rules(merged))
    if whole:
        unfit.extend(Fault(key, "nothing", SCHEMA["properties"][key]["expected"]) for key in missing(merged.values))
    if unknown or unfit:
        # An unknown key outweighs values, as with the reference worker, which stops at the first of the two.
        status = ProcessStatus.UNUSABLE_CONFIG if unknown else ProcessStatus.INVALID_CONFIG
        raise ConfigError([*unknown, *unfit], status)


def missing(values: Mapping[str, Any]) -> list[str]:
    """The required keys that are not there."""
    return [key for key in REQUIRED if key not in values]


def fitting(merged: Merged) -> Merged:
    """Leave out the settings that have faults, so that others can be looked at."""
    fit = {
        key: value
        for key, value in merged.values.items()
        if key in KEYS and Draft202012Validator(KEYS[key]).is_valid(value)
    }
    return Merged(fit, merged.origins)


def _unknown(merged: Merged, error: ValidationError) -> Iterator[Fault]:
    known = _schema(error)["properties"]
    for key in _instance(error):
        if key not in known:
            yield Fault(merged.locate([*error.absolute_path, key]), "an unknown key", _nearest(key, known))


def _schema(error: ValidationError) -> Mapping[str, Any]:
    assert isinstance(error.schema, dict)
    return error.schema


def _instance(error: ValidationError) -> Mapping[str, Any]:
    assert isinstance(error.instance, dict)
    return error.instance


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    folded = {name.casefold(): name for name in known}
    # Case does not matter in keys, hence not in how near they are.
    near = difflib.get_close_matches(key.casefold(), folded, n=1)
    if near:
        return f"perhaps {folded[near[0]]}"
    return f"one of {', '.join(known)}" if len(known) <= 5 else "a key of docs/configuration.md"


def _unfit(merged: Merged, error: ValidationError) -> Fault:
    path = list(error.absolute_path)
    # The value itself may be a secret that stands in the wrong form.
    place = ".".join(step for step in path if isinstance(step, str))
    found = _show(error.instance) if may_be_shown(place) else f"{type_name(error.instance)} that is not shown"
    if error.validator == "uniqueItems":
        found = f"the same twice in {found}"
    return Fault(merged.locate(path), found, _schema(error)["expected"])


def _show(value: JSON) -> str:
    # URLs may have passwords in them.
    text = re.sub("//[^/]*@", "//…@", json.dumps(value, default=str))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _own_rules(merged: Merged) -> Iterator[Fault]:
    values = merged.values
    # JSON schema cannot look into a text.
    certificate = values.get("certificate")
    if isinstance(certificate, str) and certificate and not is_object(certificate):
        yield _breach(merged, "certificate", "text that is not shown")
    yield from (Fault(merged.locate(path), str(value), "a number with an end") for path, value in _endless(values))
    if isinstance(values.get("pulse"), str):
        yield from _address_faults(merged, values["pulse"])
    logs = values.get("logs")
    masks = logs.get("mask") if isinstance(logs, Mapping) else None
    for index, mask in enumerate(masks if isinstance(masks, list | tuple) else ()):
        yield from _mask_faults(merged, ["logs", "mask", index], mask)
    mounts = values.get("mounts")
    denied = mounts.get("denyNetworks") if isinstance(mounts, Mapping) else None
    for index, network in enumerate(denied if isinstance(denied, list | tuple) else ()):
        yield from _network_faults(merged, ["mounts", "denyNetworks", index], network)


def _endless(values: Mapping[str, Any], schemas: Mapping[str, Any] = KEYS) -> Iterator[tuple[Sequence[str], float]]:
    """Numbers without an end, and where they stand: YAML has .inf and .nan, which JSON schema takes for numbers."""
    for key in schemas.keys() & values.keys():
        schema, value = schemas[key], values[key]
        if schema.get("type") == "number" and isinstance(value, float) and not math.isfinite(value):
            yield [key], value
        elif "properties" in schema and isinstance(value, Mapping):
            yield from (([key, *path], found) for path, found in _endless(value, schema["properties"]))


def _address_faults(merged: Merged, url: str) -> Iterator[Fault]:
    try:
        read_address(url)
    except ConfigError as error:
        yield from (replace(fault, place=merged.locate([fault.place])) for fault in error.faults)


def _mask_faults(merged: Merged, path: Sequence[str | int], mask: JSON) -> Iterator[Fault]:
    if isinstance(mask, str) and (size := len(mask.strip().encode(errors="replace"))) < SHORTEST_MASK:
        yield Fault(
            merged.locate(path), f"text of {size} bytes", f"at least {SHORTEST_MASK}, for shorter ones are everywhere"
        )
    pattern = mask.get("pattern") if isinstance(mask, Mapping) else None
    if isinstance(pattern, str):
        try:
            compile_pattern(pattern)
        except PatternFault as fault:
            yield Fault(merged.locate([*path, "pattern"]), "a pattern that is not shown", str(fault))


def _network_faults(merged: Merged, path: Sequence[str | int], network: JSON) -> Iterator[Fault]:
    try:
        Networks([network] if isinstance(network, str) else [])
    except ValueError:
        yield Fault(merged.locate(path), network, "a network such as 10.0.0.0/8 or fd00::/8, or an address")


def _breach(merged: Merged, key: str, found: str) -> Fault:
    return Fault(merged.locate([key]), found, SCHEMA["properties"][key]["expected"])
