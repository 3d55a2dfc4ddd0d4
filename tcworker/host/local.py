"""A worker on a machine that nobody manages: all that it is comes from its own configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorProcess
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.interfaces import Credentials, Exit, IHost, Notice, ProcessStatus, Unsubscribe
from tcworker.power import SHUTDOWN, power_off

POWER_OFF_AFTER: Mapping[int, str] = {
    ProcessStatus.IDLE: "shutdownMachineOnIdle",
    ProcessStatus.INTERNAL_ERROR: "shutdownMachineOnInternalError",
}
"""The settings that have the machine powered off, by the status that the worker ends with."""

_log = Logger()


@implementer(IHost)
class LocalHost(Service):
    """Adds nothing to the configuration, never asks to go and keeps the credentials as they are.

    It powers the machine off behind a worker when the settings say so.

    @param values: the settings given so far, as every host gets them.
    @cvar shutdown: the command for that.
    """

    shutdown: ClassVar[Sequence[str]] = SHUTDOWN

    def __init__(self, reactor: IReactorProcess, values: Mapping[str, Any]) -> None:
        self._reactor = reactor
        self._values = values

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
        """Power the machine off, if this end of the worker is one for which the settings say so."""
        key = POWER_OFF_AFTER.get(exit.status)
        if key is None or not self._values.get(key):
            return succeed(None)
        _log.warn("powering the machine off, for {key} is set", key=key)
        return Deferred.fromCoroutine(power_off(self._reactor, self.shutdown))


def _nothing() -> None:
    pass
