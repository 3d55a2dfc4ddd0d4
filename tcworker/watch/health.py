"""Whether a worker is well, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

Check: TypeAlias = Callable[[], str]
"""Says what is wrong, for people, with what to do about it; nothing if all is well."""

SILENCE = 300.0
"""Seconds after which a worker that could claim tasks should have asked for some: a claimWork takes 35 at most, the
pause after a failure 75, a host that does not answer 60."""


class Health:
    """What several checks say of one worker; each look asks them all anew."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def add(self, check: Check) -> None:
        """Have one more thing looked at."""
        self._checks.append(check)

    @property
    def problems(self) -> Sequence[str]:
        """What is wrong; nothing if the worker is well."""
        return [problem for check in self._checks if (problem := check())]


def claims_enough(seconds: Callable[[], float], could: Callable[[], bool], asked: Callable[[], float]) -> Check:
    """Check that a worker asks for tasks while it could.

    @param seconds: what time it is.
    @param could: whether it could claim now.
    @param asked: when it began to ask last.
    """

    def check() -> str:
        silent = seconds() - asked()
        if silent < SILENCE or not could():
            return ""
        return f"it could claim tasks, but has asked for none for {silent:.0f} s: look into its log, and start it again"

    return check
