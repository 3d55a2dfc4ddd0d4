"""Regular expressions for lines that strangers write: matched in a time that grows no faster than the text does.

An expression is compiled for Python's own matcher, which is quick, but which tries every way that there is and so may
be kept busy for ever. Hence only such are taken for which there are few: how many steps a byte can cost is counted
beforehand (L{tcworker.line_pattern.cost}).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tcworker.line_pattern.after import After
from tcworker.line_pattern.cost import TooMuchWork, measure
from tcworker.line_pattern.expression import as_expression
from tcworker.line_pattern.needed import needed
from tcworker.line_pattern.parser import PatternFault, parse

__all__ = ["MOST_STEPS", "LinePattern", "PatternFault", "compile_pattern"]

MOST_STEPS = 500
"""How many steps of the matcher a byte of text may cost: 16 KiB of the worst text then take some 10 ms."""

_LONGEST = 2000


@dataclass(frozen=True)
class LinePattern:
    """A pattern, to be looked for in any number of whole lines.

    @ivar expression: for Python's matcher.
    @ivar needed: see L{needed}.
    """

    expression: re.Pattern[bytes]
    needed: Sequence[bytes]

    def find(self, lines: bytes, in_lower_case: bytes) -> Iterator[re.Match[bytes]]:
        """Find all matches in some lines, which are given in lower case as well; none is longer than a line."""
        if self.needed and not any(text in in_lower_case for text in self.needed):
            return iter(())
        return self.expression.finditer(lines)


def compile_pattern(text: str) -> LinePattern:
    """Make a pattern of its text.

    Raises L{PatternFault}, whose words do not show the text: what is to be masked is a secret.
    """
    if len(text) > _LONGEST:
        raise PatternFault(f"at most {_LONGEST} characters")
    tree = parse(text)
    if tree.nullable:
        raise PatternFault("one that does not match the empty text")
    try:
        steps = measure(tree, After.nothing()).steps
    except TooMuchWork as error:
        raise PatternFault(str(error)) from None
    if steps > MOST_STEPS:
        raise PatternFault(
            f"one that needs at most {MOST_STEPS} steps for each byte of the log, this one needs up to {steps}: "
            "lower the upper bounds of its repetitions"
        )
    return LinePattern(re.compile(as_expression(tree), re.MULTILINE), needed(tree))
