"""What the tests of both machines share."""

from __future__ import annotations

from typing import Any

from automat import TypeMachineBuilder


def decided(builder: TypeMachineBuilder[Any, Any]) -> set[tuple[str, str]]:
    """The pairs of state and input that a machine decides.

    Automat has no public way to ask; its own C{inputAlphabet} leaves out inputs that no state mentions.
    """
    return {(start.name, name) for start, name, _, _ in builder._automaton.allTransitions()}


def pairs(builder: TypeMachineBuilder[Any, Any], inputs: type) -> set[tuple[str, str]]:
    """Every pair of state and input that there is."""
    names = [name for name in vars(inputs) if not name.startswith("_")]
    return {(state.name, name) for state in builder._automaton.states() for name in names}


def state_of(machine: Any) -> str:
    """The name of the state that a machine is in."""
    return str(machine.__automat_transitioner__._state.name)


class Calls:
    """Has any method, and writes down each call as a tuple."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.made.append((name, *args))

    def take(self) -> list[tuple[Any, ...]]:
        """What was called since the last time."""
        made, self.made = self.made, []
        return made
