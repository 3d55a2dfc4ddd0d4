"""The worker's side of its host: asks it, keeps what it says, and is not upset when it is away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.config import Config
from tcworker.errors import HostUnavailable
from tcworker.interfaces import Credentials, Exit, IHost, Notice, Unsubscribe
from tcworker.retry import Backoff
from tcworker.waiting import pause

_log = Logger()

BACKOFF = Backoff(first=1, most=60)
"""Between two questions for the configuration to a host that does not answer."""

PATIENCE = 60.0
"""Seconds for the host's answers during work and for its part of leaving."""


class HostService(MultiService):
    """Owns one host.

    @param host: also an C{IService}, which becomes a child.
    @param configure: makes the whole configuration of what the host adds to it; raises L{ConfigError}.
    """

    def __init__(self, reactor: IReactorTime, host: IHost, configure: Callable[[Mapping[str, Any]], Config]) -> None:
        super().__init__()
        self._reactor = reactor
        self._host = host
        self._configure = configure
        self._configured: Credentials | None = None
        self._renewed: Credentials | None = None
        self._unsubscribe: Unsubscribe | None = None
        self._told: list[Callable[[Credentials], None]] = []
        self.addService(IService(host))

    def startService(self) -> None:
        """Start the host and listen for new credentials."""
        super().startService()
        self._unsubscribe = self._host.on_credentials(self._renew)

    def stopService(self) -> Deferred[Any]:
        """Stop the host."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        stopped: Deferred[Any] = super().stopService()
        return stopped

    def load(self) -> Deferred[Config]:
        """Get the whole configuration, however long the host is away.

        Fails with L{ConfigError}, or with what else the host fails with.
        """
        return Deferred.fromCoroutine(self._load())

    async def _load(self) -> Config:
        config = self._configure(await self._ask())
        self._configured = config.credentials
        return config

    async def _ask(self) -> Mapping[str, Any]:
        for delay in BACKOFF.delays():
            try:
                return await self._host.load_config()
            except HostUnavailable as error:
                # A machine that has just booted may still be waiting for its network.
                _log.warn("the host does not answer, asking again in {delay:.0f} s: {error}", delay=delay, error=error)
            await pause(self._reactor, delay)
        raise AssertionError("delays never end")

    def credentials(self) -> Credentials:
        """Give the worker's newest credentials. Raises C{LookupError} while there are none yet."""
        # What the host says later never is older than what it began with.
        credentials = self._renewed or self._configured
        if credentials is None:
            raise LookupError("the configuration has not been loaded yet")
        return credentials

    def on_credentials(self, call: Callable[[Credentials], None]) -> None:
        """Be told of the worker's new credentials."""
        self._told.append(call)

    def should_shut_down_now(self, idle_seconds: float) -> Deferred[bool]:
        """Ask the host whether to go now; fails only when it is cancelled."""
        return Deferred.fromCoroutine(self._should_shut_down_now(idle_seconds))

    async def _should_shut_down_now(self, idle_seconds: float) -> bool:
        try:
            return await self._host.should_shut_down_now(idle_seconds).addTimeout(PATIENCE, self._reactor)
        except CancelledError:
            raise
        except Exception:
            _log.failure("the host did not say whether the worker is to go; it stays")
            return False

    def on_shutting_down(self, call: Callable[[Notice], None]) -> Unsubscribe:
        """Be told when the machine must go, as L{IHost.on_shutting_down} says."""
        return self._host.on_shutting_down(call)

    def leave(self, exit: Exit) -> Deferred[None]:
        """Let the host do what is to be done when its worker is gone; never fails."""
        return Deferred.fromCoroutine(self._leave(exit))

    async def _leave(self, exit: Exit) -> None:
        try:
            await self._host.leave(exit).addTimeout(PATIENCE, self._reactor)
        except Exception:
            # The worker is gone by now, whatever the host makes of it.
            _log.failure("the host could not be left in order")

    def _renew(self, credentials: Credentials) -> None:
        _log.info("new credentials for {client_id}", client_id=credentials.client_id)
        self._renewed = credentials
        for call in self._told:
            call(credentials)
