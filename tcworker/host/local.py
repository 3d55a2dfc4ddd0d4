"""A worker on a machine that nobody manages: all that it is comes from its own configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.interfaces import Credentials, Exit, IHost, Notice, Unsubscribe


@implementer(IHost)
class LocalHost(Service):
    """Adds nothing to the configuration, never asks to go and keeps the credentials as they are.

    @param values: the settings given so far, as every host gets them; this one needs none.
    """

    def __init__(self, reactor: IReactorTime, values: Mapping[str, Any]) -> None:
        pass

    def load_config(self) -> Deferred[Mapping[str, Any]]:
        """Add nothing."""
        return succeed({})

    def should_shut_down_now(self, idle_seconds: float) -> Deferred[bool]:
        """Answer no."""
        return succeed(False)

    def on_shutting_down(self, call: Callable[[Notice], None]) -> Unsubscribe:
        """Never call."""
        return _nothing

    def on_credentials(self, call: Callable[[Credentials], None]) -> Unsubscribe:
        """Never call."""
        return _nothing

    def leave(self, exit: Exit) -> Deferred[None]:
        """Leave the machine as it is."""
        return succeed(None)


def _nothing() -> None:
    pass
