"""Threads for tests that end their work themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred


class Held:
    """Threads that the test ends the work of.

    @ivar jobs: one a call, in order.
    """

    def __init__(self) -> None:
        self.jobs: list[Deferred[Any]] = []

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.jobs.append(Deferred())
        return self.jobs[-1]
