"""The calls that each Taskcluster service has, read from the C{taskcluster} package.

Its generated classes are data for us. They are read without being imported: importing them brings in a whole other HTTP
client, which takes a tenth of a second and ten megabytes of every worker.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlencode

from tcworker.interfaces import JSON


@dataclass(frozen=True)
class Route:
    """One call of a service.

    @ivar name: as Taskcluster spells it, for example C{claimWork}.
    @ivar method: of HTTP, upper case.
    @ivar template: the path, C{<name>} where an argument goes.
    @ivar query: the names of the query's parameters.
    @ivar has_body: whether it takes one, after the arguments.
    """

    name: str
    method: str
    template: str
    arguments: Sequence[str]
    query: Sequence[str]
    has_body: bool

    def path(self, arguments: Sequence[str | int]) -> str:
        """The path for these arguments, each encoded as one segment whatever it holds."""
        values = dict(zip(self.arguments, arguments, strict=True))
        # A name of an artifact or a task queue has slashes, which would be other segments.
        return re.sub(r"<(\w+)>", lambda place: quote(str(values[place[1]]), safe=""), self.template)

    def query_string(self, query: Mapping[str, JSON]) -> str:
        """What follows the path, for parameters in snake_case; those that are C{None} are left out.

        Raises C{TypeError} for parameters that the call does not have.
        """
        names = {snake_case(name): name for name in self.query}
        unknown = query.keys() - names.keys()
        if unknown:
            raise TypeError(f"{self.name} has no query parameter {', '.join(sorted(unknown))}")
        given = {names[name]: value for name, value in query.items() if value is not None}
        return f"?{urlencode(given)}" if given else ""


# Reading one takes milliseconds, and each run has services of its own.
@cache
def routes(module: str) -> Mapping[str, Route]:
    """The calls of the service that a module of the package describes, by their names in snake_case."""
    prefix, table = _read(module)
    return {snake_case(name): _route(prefix, entry) for name, entry in table.items()}


def snake_case(name: str) -> str:
    """C{claimWork} as C{claim_work}."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _route(prefix: str, entry: Mapping[str, JSON]) -> Route:
    return Route(
        name=entry["name"],
        method=entry["method"].upper(),
        template=prefix + entry["route"].rstrip("/"),
        arguments=tuple(entry["args"]),
        query=tuple(entry.get("query", ())),
        has_body="input" in entry,
    )


def _read(module: str) -> tuple[str, Mapping[str, JSON]]:
    """The prefix of all paths, and the table of calls."""
    package = find_spec("taskcluster")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the taskcluster package is not installed", name="taskcluster")
    source = Path(package.submodule_search_locations[0], "generated", f"{module}.py")
    values = _class_values(source)
    return f"/api/{values['serviceName']}/{values['apiVersion']}", values["funcinfo"]


def _class_values(source: Path) -> dict[str, JSON]:
    """What a module's one class sets in its body."""
    # More or less than one would be a release that must be looked at.
    [found] = [node for node in ast.parse(source.read_bytes()).body if isinstance(node, ast.ClassDef)]
    return {
        target.id: ast.literal_eval(statement.value)
        for statement in found.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
