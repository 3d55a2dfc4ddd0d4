"""YAML from strangers, read into what JSON can say, within limits."""

from __future__ import annotations

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tcworker.embedded.faults import bad_input
from tcworker.interfaces import JSON

LONGEST_TEXT = 100_000
MOST_NODES = 50_000
DEEPEST = 60
LARGEST = 1e300

_PREFIX = "tag:yaml.org,2002:"

_KINDS = ("map", "seq", "str", "timestamp", "null", "bool", "int", "float")


def read_yaml(text: str) -> JSON:
    """Read one document. Raises L{ApiError} that says where it is wrong."""
    try:
        # The reader in C goes down as deep as it is led, past the end of its stack; the one in Python raises.
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        return None if node is None else _Reader(loader).read(node, 0)
    except yaml.YAMLError as error:
        raise bad_input(f"This is not YAML: {error}") from None
    except RecursionError:
        raise bad_input("The YAML is nested too deeply.") from None


class _Reader:
    """Makes values of nodes, an alias anew each time it is met: so each is counted."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._left = MOST_NODES

    def read(self, node: Node, depth: int) -> JSON:
        self._left -= 1
        if self._left < 0:
            raise bad_input(f"The YAML has more than {MOST_NODES} values, its aliases written out.")
        if depth > DEEPEST:
            raise bad_input(f"The YAML is nested more than {DEEPEST} deep.")
        if node.tag.removeprefix(_PREFIX) not in _KINDS:
            raise bad_input(f"The tag {node.tag} is not supported{_place(node)}.")
        if isinstance(node, MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, SequenceNode):
            return [self.read(item, depth + 1) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, depth: int) -> JSON:
        values: dict[str, JSON] = {}
        for key, value in node.value:
            name = self._key(key)
            if name in values:
                raise bad_input(f"The key {name!r} stands twice{_place(key)}.")
            values[name] = self.read(value, depth + 1)
        return values

    def _key(self, node: Node) -> str:
        if node.tag == f"{_PREFIX}merge":
            raise bad_input(f"Merging with << is not supported{_place(node)}: write the keys out.")
        if not isinstance(node, ScalarNode) or node.tag != f"{_PREFIX}str":
            raise bad_input(f"A key must be text{_place(node)}: put it in quotes.")
        return str(node.value)

    def _scalar(self, node: Node) -> JSON:
        if node.tag in (f"{_PREFIX}str", f"{_PREFIX}timestamp"):
            return str(node.value)
        try:
            value: JSON = self._loader.construct_object(node)
        except ValueError:
            raise bad_input(f"This is no number that can be read{_place(node)}.") from None
        # So that it is not "at least": what is no number at all is not less than any.
        if isinstance(value, int | float) and not abs(value) < LARGEST:
            raise bad_input(f"JSON has no such number{_place(node)}.")
        return value


def _place(node: Node) -> str:
    return f" (line {node.start_mark.line + 1}, column {node.start_mark.column + 1})"
