"""Tests that documents link to, as their source has them: C{[`Class.test`](../tests/module.py)}."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twisted.python.reflect import namedAny

DOCS = Path(__file__).resolve().parents[1] / "docs"

_LINK = re.compile(r"\[`(\w+)\.(\w+)`\]\(\.\./([\w/]+)\.py\)")


@dataclass(frozen=True)
class DocumentedTest:
    """What a link leads to."""

    module: str
    case: str
    name: str

    @property
    def exists(self) -> bool:
        """Whether there is such a test."""
        try:
            return callable(namedAny(f"{self.module}.{self.case}.{self.name}"))
        except AttributeError:
            return False


def tests_in(text: str) -> Sequence[DocumentedTest]:
    """Give all that a text links to."""
    return [DocumentedTest(module.replace("/", "."), case, name) for case, name, module in _LINK.findall(text)]
