"""The properties of a payload, as its JSON schema and as the tables of docs/payload.md have them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tcworker.task.forms import IN_WORDS
from tests.documented_tests import DOCS, DocumentedTest, tests_in

Schema = Mapping[str, Any]

_HEADING = re.compile(r"^#+ (.*)$")
_CODE = re.compile(r"^`([^`]+)`$")
_FORMATS = {"date-time": "a date with time and zone", "uri": "an address with its scheme"}


@dataclass(frozen=True)
class Property:
    """One property: in which table it is, its path there, and what the schema says of it."""

    table: str
    path: str
    schema: Schema
    required: bool

    @property
    def cells(self) -> tuple[str, str, str]:
        """Its type, default and limits in words."""
        default = "required" if self.required else _default(self.schema)
        return _type(self.schema), default, "; ".join(_limits(self.schema)) or "-"


@dataclass(frozen=True)
class Row:
    """One row of a table in docs/payload.md.

    @ivar cells: type, default, limits.
    @ivar scope: what the task needs, or C{-}.
    @ivar tests: those that it links to.
    """

    table: str
    path: str
    cells: tuple[str, str, str]
    meaning: str
    scope: str
    tests: Sequence[DocumentedTest]


def properties(schema: Schema) -> Iterator[Property]:
    """All properties; the forms of what is in C{$defs} have tables of their own."""
    yield from _inside(schema, "Properties", "")
    for name, definition in schema["$defs"].items():
        for form in definition["oneOf"]:
            yield from _inside(form, f"{name.capitalize()}: {form['title']}", "")


def _inside(schema: Schema, table: str, path: str) -> Iterator[Property]:
    for key, inner in schema.get("properties", {}).items():
        yield Property(table, path + key, inner, key in schema.get("required", ()))
        yield from _inside(inner, table, f"{path}{key}.")
        yield from _inside(inner.get("items", {}), table, f"{path}{key}[].")


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema["type"] == "array":
        return f"list of {_plural(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_plural(schema['additionalProperties'])}"
    return str(schema["type"])


def _plural(schema: Schema) -> str:
    noun, *rest = _type(schema).split(" ", 1)
    return " ".join([f"{noun}s", *rest])


def _default(schema: Schema) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else "-"


def _limits(schema: Schema) -> Iterator[str]:
    words = {
        "minimum": "{} or more",
        "minItems": "{} or more items",
        "minLength": "{} or more characters",
        "maxLength": "up to {} characters",
        "uniqueItems": "none twice",
    }
    for keyword, text in words.items():
        if keyword in schema:
            yield text.format(schema[keyword])
    if "enum" in schema:
        yield ", ".join(f"`{value}`" for value in schema["enum"])
    if "format" in schema:
        yield _FORMATS[schema["format"]]
    if "pattern" in schema:
        yield IN_WORDS[schema["pattern"]]
    if "items" in schema and (inner := "; ".join(_limits(schema["items"]))):
        yield f"each: {inner}"


def rows() -> Iterator[Row]:
    """All rows of the tables whose rows are properties."""
    heading, columns = "", [""]
    for line in (DOCS / "payload.md").read_text().splitlines():
        if found := _HEADING.match(line):
            heading = found.group(1)
        if not line.startswith("|"):
            columns = [""]
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        # The first line of a table says what its columns are.
        if columns == [""]:
            columns = cells
        elif columns[0] == "Property" and (path := _CODE.match(cells[0])):
            yield _row(heading, path.group(1), dict(zip(columns, cells, strict=True)))


def _row(heading: str, path: str, cells: Mapping[str, str]) -> Row:
    words = cells["Type"], cells["Default"], cells["Limits"]
    return Row(heading, path, words, cells["Meaning"], cells.get("Scope", "-"), tests_in(cells["Tests"]))
