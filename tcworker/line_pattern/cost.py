"""How much work a pattern can be for the matcher; pure."""

from __future__ import annotations

from dataclasses import dataclass

from tcworker.line_pattern.after import After, is_decided, with_after
from tcworker.line_pattern.tree import Chain, Choice, Node, Repeat

_A_LOT = 1_000_000


class TooMuchWork(Exception):
    """There is no bound, or none worth counting; the message says what would help."""


@dataclass(frozen=True)
class Work:
    """What a part can cost from one place of the text.

    @ivar ways: in how many ways it may match there, each of which has all that follows tried again.
    @ivar steps: of the matcher, for all of these ways. What a match consumes at its end is not counted, since nobody
        looks at that again.
    """

    ways: int
    steps: int

    def __post_init__(self) -> None:
        if max(self.ways, self.steps) > _A_LOT:
            raise TooMuchWork("one in which fewer repetitions are combined: there are too many ways to match it")


def measure(node: Node, after: After) -> Work:
    """Count the work. Raises L{TooMuchWork}."""
    if isinstance(node, Chain):
        return _measure_chain(node, after)
    if isinstance(node, Choice):
        return _measure_choice(node, after)
    if isinstance(node, Repeat):
        return _measure_repeat(node, after)
    return Work(1, 1)


def _measure_chain(chain: Chain, after: After) -> Work:
    ways, steps = 1, 0
    for part, behind in with_after(chain, after):
        work = measure(part, behind)
        ways, steps = ways * work.ways, steps + ways * work.steps
    return Work(ways, steps)


def _measure_choice(choice: Choice, after: After) -> Work:
    works = [measure(option, after) for option in choice.options]
    ways = [work.ways for work in works]
    # Where the first byte decides, no second option is ever tried to the end.
    return Work(max(ways) if _exclusive(choice) else sum(ways), len(works) + sum(work.steps for work in works))


def _exclusive(choice: Choice) -> bool:
    seen = 0
    for option in choice.options:
        if option.nullable or option.first & seen:
            return False
        seen |= option.first
    return True


def _measure_repeat(repeat: Repeat, after: After) -> Work:
    if repeat.body.nullable:
        raise TooMuchWork("no repetition of what matches the empty text")
    if after.certain:
        # As often as it goes, and never in another way: but what must be there may fail.
        return Work(1, _rounds(repeat, after, repeat.least + 1).steps)
    if repeat.most is None:
        raise TooMuchWork("*, + and {n,} at its end only; elsewhere a repetition needs an upper bound, as in {0,100}")
    return Work(1, repeat.most + 1) if is_decided(repeat, after) else _rounds(repeat, after, repeat.most)


def _rounds(repeat: Repeat, after: After, most: int) -> Work:
    """Count the work of up to so many rounds."""
    # Behind a round is another one, or what stands after all of them.
    once = measure(repeat.body, After(repeat.body.first | after.first, False))
    # In how many ways so many rounds match: from each of these places the next round is tried.
    ways, steps, reached = 0 if repeat.least else 1, 1, 1
    for count in range(1, most + 1):
        steps += reached * once.steps
        reached *= once.ways
        ways += reached if count >= repeat.least else 0
        # Raises as soon as it is too much, for a number may grow with every round.
        Work(reached, steps)
    return Work(max(ways, 1), steps)
