"""Keeps room on the disks: looks every minute and whenever it is asked, and sweeps every hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.cache.collecting import Collectable, Collecting
from tcworker.cache.places import Places, Pressure
from tcworker.interfaces import RoomMade
from tcworker.waiting import Executor, Loose, OneShot, pause
from tcworker.watch.disks import MEGABYTE

LOOK_EVERY = 60.0
"""Seconds between two looks at the disks: tasks fill them while they run."""

SWEEP_EVERY = 3600.0
"""Seconds between two looks at what lies there and is nobody's."""

PATIENCE = 60.0
"""Seconds for which somebody who wants room waits for it; it is made all the same."""

AGAIN = 3600.0
"""Seconds between two lines of the log about nothing being left to throw away."""

_log = Logger()


@dataclass(frozen=True)
class _Round:
    """A time of making room, which whoever asks meanwhile waits for.

    @ivar made: fires when it is over, with what came of it.
    """

    pressure: Pressure
    made: OneShot[RoomMade] = field(default_factory=OneShot)

    def nothing(self) -> OneShot[RoomMade]:
        """It does not take place."""
        self.made.succeed(RoomMade.NONE)
        return self.made


class CollectorService(Service):
    """Throws away what is kept for tasks when there is too little room.

    @param places: whose disks are looked after.
    @param most: bytes that may be kept, C{None} for any number.
    @param now: gives the seconds since 1970, as those of what is kept.
    @param sweeps: each removes what is in no table.
    """

    def __init__(
        self,
        clock: IReactorTime,
        threads: Executor,
        stock: Collectable,
        places: Places,
        most: int | None,
        now: Callable[[], float],
        sweeps: Sequence[Callable[[], Deferred[None]]] = (),
    ) -> None:
        self._clock = clock
        self._threads = threads
        self._stock = stock
        self._places = places
        self._most = most
        self._now = now
        self._sweeps = sweeps
        self._loose = Loose(_log)
        self._current: _Round | None = None
        self._next: _Round | None = None
        self._said = -AGAIN

    def startService(self) -> None:
        """Begin to look; whoever starts has swept what others left."""
        super().startService()
        self._loose.run(self._look_every_minute(), "looking after the disks")
        self._loose.run(self._sweep_every_hour(), "sweeping")

    def stopService(self) -> Deferred[None]:
        """Throw away nothing more; fires when nothing is being done any more."""
        super().stopService()
        return self._loose.cancel()

    @property
    def over(self) -> bool:
        """Whether more is kept than may be."""
        return self._most is not None and self._stock.total > self._most

    def make_room(self, pressure: Pressure = Pressure.USUAL) -> Deferred[RoomMade]:
        """Throw away until there is room; those who ask at one time do that once.

        @return: never fails, and nobody waits for longer than L{PATIENCE}.
        """
        # Ends this wait alone: others wait on, and the making goes on.
        waiting = self._collect(pressure).wait().addTimeout(PATIENCE, self._clock)
        return waiting.addErrback(_not_yet)

    def begin_to_make_room(self, pressure: Pressure) -> None:
        """The same for somebody who does not wait for it."""
        self._collect(pressure)

    async def _look_every_minute(self) -> None:
        while True:
            await pause(self._clock, LOOK_EVERY)
            # Not waited for: looks that come while something large is being removed join that.
            self._collect()

    def _collect(self, pressure: Pressure = Pressure.USUAL) -> OneShot[RoomMade]:
        if not self.running:
            return _Round(pressure).nothing()
        if self._current is None:
            return self._begin(_Round(pressure))
        if self._current.pressure >= pressure:
            return self._current.made
        # It asks for more than what is being done.
        if self._next is None or self._next.pressure < pressure:
            # Who waits for the weaker one gets this one's answer: it makes as much, and more.
            self._next = _Round(pressure, self._next.made if self._next is not None else OneShot())
        return self._next.made

    def _begin(self, round: _Round) -> OneShot[RoomMade]:
        self._current = round
        self._loose.run(self._make(round), "making room on the disks")
        return round.made

    async def _make(self, round: _Round) -> None:
        collecting = Collecting(self._stock, self._threads, self._places, self._most, self._now)
        # What tasks have just let go of makes room as well, and the round waits for it.
        others_go = not self._stock.settled().called
        try:
            self._say(await collecting.run(round.pressure))
        finally:
            # First: whoever is told may ask again at once, and must not join what is over.
            self._go_on()
            round.made.succeed(RoomMade.SOME if collecting.gone or others_go else RoomMade.NONE)

    def _go_on(self) -> None:
        self._current, following, self._next = None, self._next, None
        if following is not None and self.running:
            self._begin(following)
        elif following is not None:
            following.nothing()

    def _say(self, lacking: str) -> None:
        now = self._clock.seconds()
        if not lacking:
            # When it comes back that is news, however soon.
            self._said = -AGAIN
        elif now - self._said >= AGAIN:
            used = self._stock.total / MEGABYTE
            _log.warn("nothing is left to throw away: {lacking}; tasks use {used:.1f} MiB", lacking=lacking, used=used)
            self._said = now

    async def _sweep_every_hour(self) -> None:
        while True:
            await pause(self._clock, SWEEP_EVERY)
            for sweep in self._sweeps:
                await self._try(sweep)

    async def _try(self, sweep: Callable[[], Deferred[None]]) -> None:
        try:
            await sweep()
        except CancelledError:
            raise
        except Exception:
            _log.failure("what is nobody's could not be removed")


def _not_yet(failure: Failure) -> RoomMade:
    failure.trap(TimeoutError)
    return RoomMade.NOT_YET
