"""Which module of tcworker may import which, as a table, and the finders of what breaks it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

BELOW_ALL = -1
ABOVE_ALL = 99

LAYERS: Mapping[str, int] = {
    # The longest prefix counts, and state_folder is of the family of state.
    # What stands alone is below all others, so that anybody may use it.
    "tcworker": BELOW_ALL,
    "tcworker.launcher": BELOW_ALL,
    "tcworker.clocks": BELOW_ALL,
    "tcworker.folder_lock": BELOW_ALL,
    "tcworker.printable": BELOW_ALL,
    "tcworker.interfaces": 0,
    "tcworker.errors": 0,
    "tcworker.causes": 0,
    "tcworker.arguments": 0,
    "tcworker.config": 1,
    "tcworker.line_pattern": 1,
    "tcworker.networks": 1,
    "tcworker.json_reading": 1,
    "tcworker.retry": 1,
    "tcworker.waiting": 1,
    "tcworker.watch.health": 1,
    "tcworker.watch.systemd": 1,
    "tcworker.watch.stall": 1,
    "tcworker.worker_log": 1,
    "tcworker.lifecycle": 1,
    "tcworker.claims.slots": 1,
    "tcworker.claims.standing": 1,
    "tcworker.claims.grace": 1,
    "tcworker.task.machine": 1,
    "tcworker.task.resolution": 1,
    "tcworker.task.outcome": 1,
    "tcworker.task.payload": 1,
    "tcworker.task.violations": 1,
    "tcworker.task.claim": 1,
    "tcworker.task.run_status": 1,
    "tcworker.task.feature_flag": 1,
    "tcworker.task.forms": 1,
    "tcworker.task.keywords": 1,
    "tcworker.task.mount_schema": 1,
    "tcworker.task.log_names": 1,
    "tcworker.task.with_room": 1,
    "tcworker.task.verdict": 1,
    "tcworker.task.verdict_document": 5,
    "tcworker.task.verdict_file": 5,
    "tcworker.amqp.address": 1,
    "tcworker.amqp": 2,
    "tcworker.client": 2,
    "tcworker.watch": 2,
    "tcworker.pulse": 2,
    "tcworker.state": 2,
    "tcworker.power": 2,
    "tcworker.process": 2,
    "tcworker.filebody": 2,
    "tcworker.removal": 2,
    "tcworker.claims.crashes": 2,
    "tcworker.claims.left_folders": 2,
    "tcworker.cache.disk_use": 2,
    "tcworker.cache.folders": 2,
    "tcworker.cache.own_folder": 2,
    "tcworker.cache.tar": 2,
    "tcworker.cache.together": 2,
    "tcworker.cache": 3,
    "tcworker.download": 3,
    "tcworker.engine": 3,
    "tcworker.extract": 3,
    "tcworker.host": 3,
    "tcworker.feature": 4,
    "tcworker.task": 5,
    "tcworker.control": 6,
    "tcworker.claims": 6,
    "tcworker.worker": 7,
    "tcworker.assemble": 8,
    "tcworker.watch.process": 8,
    "tcworker.running": 9,
    "tcworker.tap": 10,
    "tcworker.embedded": 10,
    "tcworker.deployment": 10,
    "tcworker.local_run": 11,
    "tcworker.server": 11,
    "tcworker.cache_commands": 11,
    "tcworker.check": 11,
    "tcworker.schemas": 11,
    "tcworker.cli": 12,
    "tcworker.__main__": 13,
    "tcworker.testing": ABOVE_ALL,
}

UNITS = {"tcworker.engine", "tcworker.host", "tcworker.feature"}
"""Folders in which no module, or folder of modules, knows another."""

FRAME = {"tcworker.feature.base", "tcworker.engine.attached"}
"""What all of such parts stand on."""

COMMANDS = {"tcworker.cache_commands", "tcworker.cli", "tcworker.deployment", "tcworker.local_run", "tcworker.server"}
"""The commands and what they share: only they put a worker and the embedded Taskcluster together."""

FOR_EMBEDDED = {
    "tcworker",
    "tcworker.amqp.address",
    "tcworker.amqp.connection",
    "tcworker.amqp.link",
    "tcworker.clocks",
    "tcworker.embedded",
    "tcworker.errors",
    "tcworker.folder_lock",
    "tcworker.interfaces",
    "tcworker.retry",
    "tcworker.waiting",
    "tcworker.client.hawk",
    "tcworker.client.scopes",
}
"""All that the embedded Taskcluster shares with a worker: what is pure, and what connects to a broker."""

MACHINES = {"tcworker.lifecycle", "tcworker.task.machine"}

PURE = {
    "tcworker.interfaces",
    "tcworker.errors",
    "tcworker.task.resolution",
    "tcworker.task.verdict",
    "tcworker.task.claim",
}


@dataclass(frozen=True)
class Import:
    """One import: who, what, and whether it happens only when a function is called."""

    importer: str
    imported: str
    line: int
    in_function: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def read_modules(package: Path) -> dict[str, ast.Module]:
    """Parse all modules of a package, by their dotted names."""
    return {_dotted(package, path): ast.parse(path.read_text(), str(path)) for path in package.rglob("*.py")}


def _dotted(package: Path, path: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(name: str, module: ast.Module, known: Mapping[str, ast.Module]) -> Iterator[Import]:
    """All imports of a module: at its top, lazy ones, and those for types only."""
    inside = {
        id(node)
        for function in ast.walk(module)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(module):
        for imported in dict.fromkeys(_targets(node, known)):
            yield Import(name, imported, node.lineno, id(node) in inside)  # type: ignore[attr-defined]  # is a statement


def _targets(node: ast.AST, known: Mapping[str, ast.Module]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: imports are absolute here"
        base = node.module or ""
        for alias in node.names:
            full = f"{base}.{alias.name}"
            yield full if full in known or full == "twisted.internet.reactor" else base


def all_imports(modules: Mapping[str, ast.Module]) -> list[Import]:
    """The imports of all modules."""
    return [found for name, module in modules.items() for found in imports_of(name, module, modules)]


def within(name: str, *prefixes: str) -> bool:
    """Whether a module is one of these, or in one of them."""
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def layer(name: str) -> int | None:
    """The layer of a module; C{None} when the table does not know it."""
    if name == "tcworker":
        return LAYERS[name]
    families = [prefix for prefix in LAYERS if prefix != "tcworker" and _is_of_family(name, prefix)]
    return LAYERS[max(families, key=len)] if families else None


def _is_of_family(name: str, prefix: str) -> bool:
    return within(name, prefix) or name.startswith(prefix + "_")


def unit(name: str) -> str | None:
    """The part that a module of a folder of siblings belongs to; C{None} outside such folders."""
    if any(within(name, folder) and name != folder for folder in UNITS):
        return ".".join(name.split(".")[:3])
    return None


def upward(imports: list[Import]) -> list[Import]:
    """Imports of ours that point upwards, or to or from a module that the table does not know."""
    return [i for i in imports if within(i.imported, "tcworker") and _is_upward(i.importer, i.imported)]


def _is_upward(importer: str, imported: str) -> bool:
    own, other = layer(importer), layer(imported)
    return own is None or other is None or other > own


def sideways(imports: list[Import]) -> list[Import]:
    """Imports from one part to its sibling."""
    return [i for i in imports if _are_siblings(unit(i.importer), unit(i.imported)) and i.imported not in FRAME]


def _are_siblings(one: str | None, other: str | None) -> bool:
    if one is None or other is None or one == other:
        return False
    return layer(one) == layer(other)


def cycle(imports: list[Import]) -> list[str]:
    """One import cycle, or nothing."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        if within(found.imported, "tcworker"):
            graph.setdefault(found.importer, set()).add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def reactors(imports: list[Import]) -> list[Import]:
    """Imports of the global reactor anywhere but inside a function of the commands."""
    return [
        i
        for i in imports
        if i.imported == "twisted.internet.reactor"
        and not (i.in_function and within(i.importer, "tcworker.tap", *COMMANDS))
    ]


def strangers_of_launcher(imports: list[Import]) -> list[Import]:
    """What the launcher imports beside the standard library and itself."""
    return [
        i
        for i in imports
        if within(i.importer, "tcworker.launcher")
        and not within(i.imported, "tcworker.launcher")
        and i.imported.split(".")[0] not in sys.stdlib_module_names
    ]


def shared_with_embedded(imports: list[Import]) -> list[Import]:
    """Imports between the embedded Taskcluster and a worker, beside what is pure."""
    into = [
        i
        for i in imports
        if within(i.imported, "tcworker.embedded")
        and not within(i.importer, "tcworker.embedded", "tcworker.testing", *COMMANDS)
    ]
    out_of = [
        i
        for i in imports
        if within(i.importer, "tcworker.embedded")
        and within(i.imported, "tcworker")
        and not within(i.imported, "tcworker.embedded")
        and i.imported not in FOR_EMBEDDED
    ]
    return into + out_of


def impure(imports: list[Import]) -> list[Import]:
    """What the machines import beside what is pure, Automat and the standard library."""
    return [
        i for i in imports if i.importer in MACHINES and i.imported not in PURE and not _is_for_machines(i.imported)
    ]


def _is_for_machines(name: str) -> bool:
    return name.split(".")[0] in {"automat", *sys.stdlib_module_names}


def spawners(modules: Mapping[str, ast.Module]) -> list[str]:
    """Modules that mention C{spawnProcess}."""
    return sorted(
        name
        for name, module in modules.items()
        if any(isinstance(node, ast.Attribute) and node.attr == "spawnProcess" for node in ast.walk(module))
    )
