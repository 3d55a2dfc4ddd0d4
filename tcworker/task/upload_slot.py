"""One of the places that a worker has for uploads."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime

from tcworker.task.haste import Haste
from tcworker.waiting import pause


class UploadSlot:
    """Held from its C{async with} on, but for rests: what is tried again for hours must not keep others waiting.

    @param slots: of the whole worker.
    @param haste: once it has begun, nobody waits for a slot.
    """

    def __init__(self, slots: DeferredSemaphore, haste: Haste) -> None:
        self._slots = slots
        self._haste = haste
        self._held = False

    async def __aenter__(self) -> UploadSlot:
        await self._slots.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    async def rest(self, clock: IReactorTime, seconds: float) -> None:
        """Wait before something is tried again, and let others upload meanwhile."""
        self._give_back()
        await pause(clock, seconds)
        if not self._haste.begun:
            await self._take_again()

    async def _take_again(self) -> None:
        taking = self._slots.acquire()
        unsubscribe = self._haste.on_begin(taking.cancel)
        try:
            await taking
            self._held = True
        except CancelledError:
            if not self._haste.begun:
                raise
        finally:
            unsubscribe()

    def _give_back(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()
