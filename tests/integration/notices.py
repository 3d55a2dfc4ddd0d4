"""Hosts that tell a worker what a test wants, by files in the working directory of its process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from tcworker.host.local import LocalHost
from tcworker.interfaces import Notice, Unsubscribe


class HostWithNotices(LocalHost):
    """One that gives notice when there is a file C{notice}, of the arguments in it."""

    def on_shutting_down(self, call: Callable[[Notice], None]) -> Unsubscribe:
        looking = LoopingCall(self._look, call)
        looking.start(0.05).addErrback(lambda failure: failure.printTraceback())
        return lambda: looking.stop() if looking.running else None

    def _look(self, call: Callable[[Notice], None]) -> None:
        if os.path.exists("notice"):
            with open("notice") as file:
                notice = Notice(*json.load(file))
            # First: a test may give the next one as soon as this one shows.
            os.unlink("notice")
            call(notice)


class HostThatHoldsUp(HostWithNotices):
    """One that holds the reactor up once it has given notice."""

    def on_shutting_down(self, call: Callable[[Notice], None]) -> Unsubscribe:
        def hold_up(notice: Notice) -> None:
            call(notice)
            time.sleep(60)

        return super().on_shutting_down(hold_up)


class HostThatIsAway(HostWithNotices):
    """One that never says who the worker is; once it is asked, there is a file C{asked}."""

    def load_config(self) -> Deferred[Mapping[str, Any]]:
        with open("asked", "w"):
            pass
        return Deferred()
