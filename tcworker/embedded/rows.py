"""Rows of tables by the names of their columns, so that no two orders have to be the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def names_of(kind: Callable[..., Any]) -> Sequence[str]:
    """Give the names of a dataclass's fields, which are those of columns."""
    dataclass: Any = kind
    return tuple(field.name for field in fields(dataclass))


def read(kind: Callable[..., T], row: sqlite3.Row, **parsed: Any) -> T:
    """Make one of a kind of dataclass of a row that has a column for each of its fields.

    @param parsed: the fields that are not what their columns have.
    """
    return kind(**{name: row[name] for name in names_of(kind) if name not in parsed}, **parsed)


def add(connection: sqlite3.Connection, table: str, row: Mapping[str, object]) -> None:
    """Keep a new row, given by column."""
    connection.execute(f"INSERT INTO {table} {_values(row)}", row)


def put(connection: sqlite3.Connection, table: str, row: Mapping[str, object]) -> None:
    """Keep a row, given by column, in place of one with the same key."""
    connection.execute(f"INSERT OR REPLACE INTO {table} {_values(row)}", row)


def _values(row: Mapping[str, object]) -> str:
    return f"({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
