"""Files with tasks: YAML or JSON, rendered with JSON-e."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsone
import yaml

from tcworker.config_source import Loader, TwiceError, no_key_twice
from tcworker.interfaces import JSON


class UnusableFiles(Exception):
    """Files that are no tasks; all faults at once, each with file and place."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(*faults)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join(self.faults)


@dataclass(frozen=True)
class TaskFile:
    """What stands in one file, rendered.

    @ivar path: as it was given.
    @ivar faults: why it could not be read, each with file and place; it has no content then.
    """

    path: str
    content: Mapping[str, Any]
    faults: tuple[str, ...] = ()


class _Loader(Loader):
    """Reads dates as the text that they are in a task."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # the base class declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_files(paths: Sequence[str], params: Mapping[str, str]) -> list[TaskFile]:
    """Read all files; one that cannot be read keeps its faults, to be told with those of the others.

    @param params: what JSON-e knows by these names, beside C{here} (the folder of the file) and C{python} (the
        interpreter that runs tcworker).
    """
    return [_read_or_keep_faults(path, params) for path in paths]


def _read_or_keep_faults(path: str, params: Mapping[str, str]) -> TaskFile:
    try:
        return _read_file(path, params)
    except UnusableFiles as error:
        return TaskFile(path, {}, error.faults)


def _read_file(path: str, params: Mapping[str, str]) -> TaskFile:
    context = {"here": os.path.dirname(os.path.abspath(path)), "python": sys.executable, **params}
    content = _render(path, _parse(path, _read(path)), context)
    if not isinstance(content, dict):
        raise UnusableFiles([f"{path}: found {type(content).__name__}, expected a task definition or a payload"])
    return TaskFile(path, content)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise UnusableFiles([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise UnusableFiles([f"{path}: byte {error.start} is not UTF-8"]) from None


def _parse(path: str, text: str) -> JSON:
    """Read YAML, of which JSON is a part but for tabs between its tokens."""
    try:
        if text.lstrip().startswith("{") and "\t" in text:
            return json.loads(text, object_pairs_hook=no_key_twice)
        # Through JSON and back: what a task may hold, and nothing more.
        return json.loads(json.dumps(yaml.load(text, _Loader), allow_nan=False))
    except json.JSONDecodeError as error:
        raise UnusableFiles([f"{path}:{error.lineno}:{error.colno}: {error.msg}"]) from None
    except yaml.MarkedYAMLError as error:
        raise UnusableFiles([f"{path}{_place(error)}: {error.problem}"]) from None
    except (TwiceError, yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise UnusableFiles([f"{path}: {error}"]) from None


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    return f":{mark.line + 1}:{mark.column + 1}" if mark else ""


def _render(path: str, template: JSON, context: Mapping[str, str]) -> JSON:
    try:
        return jsone.render(template, context)
    except jsone.JSONTemplateError as error:
        place, message = "".join(error.location).lstrip("."), str(error.args[0])
        raise UnusableFiles([f"{path}: {place}: {message}{_hint(message)}"]) from None


def _hint(message: str) -> str:
    if "unknown context value" not in message:
        return ""
    return " (give it with --param, or write $${…} where a shell shall see ${…})"
