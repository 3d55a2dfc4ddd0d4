"""A host of somebody else's: the machine is wanted back as soon as a certain file is there.

Whoever owns the machine writes into that file how many seconds the worker may take, or nothing for as long as it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from tcworker.interfaces import Credentials, Exit, IHost, Notice, Unsubscribe

LOOK_EVERY = 5.0


@implementer(IHost)
class FlagFileHost(Service):
    """Its settings, under C{extensions} by this class's dotted name: C{file}, a path.

    A host is also a service: it is started and stopped with the worker.

    @param values: the settings given so far, by their names in worker.yml.
    """

    def __init__(self, reactor: IReactorTime, values: Mapping[str, Any]) -> None:
        self._path: str = values["extensions"][f"{type(self).__module__}.{type(self).__name__}"]["file"]
        self._told: list[Callable[[Notice], None]] = []
        self._notice: Notice | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._looking.start(LOOK_EVERY)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._looking.running:
            self._looking.stop()

    def load_config(self) -> Deferred[Mapping[str, Any]]:
        """See L{IHost.load_config}. What is answered here goes over worker.yml, for example an id of this machine."""
        return succeed({})

    def should_shut_down_now(self, idle_seconds: float) -> Deferred[bool]:
        """See L{IHost.should_shut_down_now}."""
        return succeed(self._notice is not None)

    def on_shutting_down(self, call: Callable[[Notice], None]) -> Unsubscribe:
        """See L{IHost.on_shutting_down}."""
        self._told.append(call)
        if self._notice is not None:
            call(self._notice)
        return lambda: self._told.remove(call) if call in self._told else None

    def on_credentials(self, call: Callable[[Credentials], None]) -> Unsubscribe:
        """See L{IHost.on_credentials}: those of worker.yml never change."""
        return lambda: None

    def leave(self, exit: Exit) -> Deferred[None]:
        """See L{IHost.leave}: a host that rents its machine would give it back here."""
        return succeed(None)

    def _look(self) -> None:
        try:
            with open(self._path, encoding="utf-8") as file:
                seconds = file.read().strip()
        except FileNotFoundError:
            return
        self._looking.stop()
        self._notice = Notice(
            graceful=not seconds.isdigit(),
            seconds_left=float(seconds) if seconds.isdigit() else None,
            why=f"{self._path} is there",
        )
        for call in list(self._told):
            call(self._notice)
