"""A worker in a process of its own that may be killed at any moment, and is started again each time."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random

from twisted.internet import reactor
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from tcworker.interfaces import JSON
from tcworker.launcher.linux import children
from tcworker.waiting import Loose, pause
from tests.faults.fates import Call
from tests.integration.processes import Command

END_WITHIN = 60.0
"""Seconds in which one that is told to go must be gone."""


LONG_LIFE = (22, 30)
"""Seconds in which a task ends that lasts longer than its claim."""

OF_LONG_LIFE = 0.12
"""The share of workers that live for so long."""


class MortalWorker:
    """Starts a worker, again and again, until it is told to stop.

    @param settings: its configuration.
    @ivar kills: when it was killed, in seconds since 1970.
    @ivar deaths: what it had printed whenever it ended though nobody had killed it.
    @ivar outputs: what each has printed that is dead.
    """

    def __init__(self, folder: str, settings: Mapping[str, JSON]) -> None:
        self._folder = folder
        self._config = os.path.join(folder, "worker.json")
        with open(os.open(self._config, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            json.dump(settings, file)
        self.kills: list[float] = []
        self.deaths: list[str] = []
        self.outputs: list[str] = []
        self._loose = Loose(Logger())
        self._stopping = self._killed = False
        self._command: Command | None = None

    def start(self) -> None:
        """Let one live from now on."""
        self._loose.run(self._live(), "keeping a worker alive")

    async def _live(self) -> None:
        while not self._stopping:
            self._killed = False
            self._command = Command(("tcworker", "worker", "--config", self._config), self._folder)
            await self._command.until_ended()
            self.outputs.append(self._command.output)
            if not (self._killed or self._stopping):
                self.deaths.append(self._command.output)
                await pause(reactor, 1)

    def kill(self, *, launcher: bool = False) -> bool:
        """Kill it now, as C{kill -9} does; whether it lived.

        @param launcher: whether its launcher is killed at the same time: then nobody but supervisors is left.
        """
        if self._command is None or self._killed or self._stopping:
            return False
        self._killed = True
        self.kills.append(reactor.seconds())
        helpers = children(self._command.pid or 0) if launcher else ()
        with suppress(ProcessExitedAlready):
            self._command.signal(signal.SIGKILL)
        for pid in helpers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return True

    async def stop(self) -> int | None:
        """Tell it to go, and give the status that it ends with."""
        self._stopping = True
        if self._command is None:
            return None
        if not self._killed:
            with suppress(ProcessExitedAlready):
                self._command.signal(signal.SIGTERM)
        hurry = reactor.callLater(END_WITHIN, self._command.kill)
        status = await self._command.until_ended()
        if hurry.active():
            hurry.cancel()
        await self._loose.wait()
        return status

    def said_about(self, task_id: str) -> Sequence[str]:
        """The lines about a task that it has printed, in all its lives."""
        lines = (line for output in [*self.outputs, self.output] for line in output.splitlines())
        return [line for line in lines if f"[{task_id}/" in line]

    @property
    def output(self) -> str:
        """What the last one has printed."""
        return "" if self._command is None else self._command.output


class Killer:
    """Kills a worker, its launcher too sometimes, when it has made some calls, or has made calls for some time.

    Those are the same for each seed. Now and then it kills the next one as well while that starts.

    @param times: how often; with C{math.inf} until it is stopped.
    @param calls: it may make so many.
    @param seconds: so long, from the first one on; some may live for half a minute, so that long tasks end, too.
    """

    def __init__(
        self,
        worker: MortalWorker,
        seed: object,
        times: float,
        *,
        calls: tuple[int, int] | None = None,
        seconds: tuple[float, float] | None = None,
    ) -> None:
        self._worker = worker
        self._chance = Random(f"killer of {seed}")
        self._calls = calls
        self._seconds = seconds
        self._left = times
        self._wait = self._some_calls()
        self._due: IDelayedCall | None = None

    def saw(self, call: Call) -> None:
        """A call has come."""
        self._wait -= 1
        if self._left <= 0:
            return
        if self._wait == 0:
            # At the next turn: perhaps before the call is answered, perhaps after.
            self._kill_in(0, 0.2)
        elif self._due is None and self._seconds is not None:
            self._kill_in(*(LONG_LIFE if self._chance.random() < OF_LONG_LIFE else self._seconds))

    def stop(self) -> None:
        """Kill no more."""
        self._left = 0
        self._call_off()

    def _some_calls(self) -> float:
        return self._chance.randint(*self._calls) if self._calls else math.inf

    def _call_off(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _kill_in(self, least: float, most: float) -> None:
        self._call_off()
        self._due = reactor.callLater(self._chance.uniform(least, most), self._kill)

    def _kill(self) -> None:
        self._due = None
        if not self._worker.kill(launcher=self._chance.random() < 0.4):
            # The next one is still to be started.
            self._kill_in(0.05, 0.05)
            return
        self._left -= 1
        self._wait = self._some_calls()
        if self._left > 0 and self._chance.random() < 0.3:
            self._kill_in(0.1, 2.0)
