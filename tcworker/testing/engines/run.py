"""One task of the suite."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred

from tcworker.interfaces import IEngine, IExecution
from tcworker.testing.context import FakeTaskContext
from tcworker.waiting import OneShot


@dataclass
class Run:
    """A task in a sandbox."""

    context: FakeTaskContext
    engine: IEngine
    execution: IExecution

    @property
    def printed(self) -> str:
        """The log so far."""
        return self.context.log.text

    def printed_at(self, _: object) -> str:
        """The log at the moment of some event."""
        return self.printed

    def seen(self, text: str) -> Deferred[None]:
        """Fire when those who follow the log have been given a text."""
        shown = bytearray()
        there: OneShot[None] = OneShot()

        def look(data: bytes) -> None:
            shown.extend(data)
            if text.encode() in shown:
                there.succeed(None)

        stop = self.context.log.follow(look)
        return there.wait().addBoth(lambda outcome: (stop(), outcome)[1])
