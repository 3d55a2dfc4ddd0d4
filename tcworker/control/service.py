"""A worker's control socket."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.protocols.policies import TimeoutMixin

from tcworker.control.orders import CACHE_ORDERS, DRAIN, LONGEST, STOP, Order, address_in, read_order
from tcworker.interfaces import JSON
from tcworker.waiting import Loose, OneShot

PATIENCE = 10.0
"""Seconds that somebody who has called has to say an order and to take the answer."""

CLOSE_SECONDS = 2.0
"""What an order may still take when the worker ends."""

_log = Logger()


class Controlled(Protocol):
    """A worker, as far as it can be told to do something."""

    def drain(self, why: str, /, *, seconds: float | None) -> None: ...

    def stop_now(self, seconds: float | None, why: str, /) -> None: ...

    def status(self) -> JSON: ...


class CacheKeeper(Protocol):
    """The caches of a worker, as far as somebody on its machine can look after them: L{tcworker.control.caches}."""

    async def obey(self, order: Order, /) -> str:
        """Do it and give what is to be answered, in JSON. Raises what keeps the worker's state from being written."""


class ControlService(Service):
    """Listens in the state directory, whose lock the worker holds: a socket that is there already is a dead worker's.

    A worker that cannot listen does its work all the same.

    @param reactor: C{IReactorUNIX} and C{IReactorTime}.
    """

    def __init__(self, reactor: Any, folder: str, worker: Controlled, caches: CacheKeeper) -> None:
        self._reactor = reactor
        self._folder = folder
        self._calls = _Calls(reactor, _Ear(worker, caches))
        self._held = ExitStack()
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        """Listen, or say why not."""
        super().startService()
        try:
            address = self._held.enter_context(address_in(self._folder))
            with suppress(FileNotFoundError):
                os.unlink(address)
            self._port = self._reactor.listenUNIX(address, self._calls, mode=0o600)
        except (OSError, CannotListenError) as error:
            self._held.close()
            _log.warn("tcworker control cannot reach this worker: {error}", error=error)

    def stopService(self) -> Deferred[None]:
        """Listen no more; fires when whoever called has the answer."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        port, self._port = self._port, None
        try:
            if port is not None:
                await maybeDeferred(port.stopListening)
        finally:
            self._held.close()
            await self._calls.end()


class _Ear:
    """Understands orders, and has them obeyed."""

    def __init__(self, worker: Controlled, caches: CacheKeeper) -> None:
        self._worker = worker
        self._caches = caches

    async def answer(self, line: bytes) -> str:
        """Do what a line says, and give what is to be said of that, in JSON."""
        try:
            order = read_order(line)
        except ValueError as error:
            return json.dumps({"error": str(error)})
        if order.what in CACHE_ORDERS:
            return await self._about_caches(order)
        if order.what == DRAIN:
            self._worker.drain("tcworker control drain", seconds=order.seconds)
        elif order.what == STOP:
            self._worker.stop_now(order.seconds, "tcworker control stop")
        return json.dumps(self._worker.status())

    async def _about_caches(self, order: Order) -> str:
        try:
            return await self._caches.obey(order)
        except CancelledError:
            raise
        except Exception as error:
            # Whoever has said it would otherwise think that the worker is gone.
            _log.failure("an order about caches failed")
            return json.dumps({"error": f"it failed: {str(error) or type(error).__name__}"})


class _Calls(Factory):
    """The calls that are being made."""

    noisy = False

    def __init__(self, clock: IReactorTime, ear: _Ear) -> None:
        self._clock = clock
        self._ear = ear
        self._open: set[_Call] = set()
        self._answers = Loose(_log)

    def logPrefix(self) -> str:
        """What the log calls it."""
        return "control calls"

    def buildProtocol(self, addr: object) -> _Call:
        call = _Call(self._clock, self._hear)
        self._open.add(call)
        call.over.wait().addCallback(lambda _: self._open.discard(call))
        return call

    async def end(self) -> None:
        """Return when all are over, and what they asked for is done; one that has said nothing gets no answer."""
        waiting = [call.over.wait() for call in self._open]
        for call in tuple(self._open):
            call.transport.loseConnection()
        await DeferredList(waiting)
        # What a worker waits for that never came up will not come.
        await self._answers.end(self._clock, CLOSE_SECONDS)

    def _hear(self, call: _Call, line: bytes) -> None:
        self._answers.run(self._answer(call, line), "a control call")

    async def _answer(self, call: _Call, line: bytes) -> None:
        try:
            call.say((await self._ear.answer(line)).encode())
        finally:
            call.transport.loseConnection()


class _Call(LineOnlyReceiver, TimeoutMixin):
    """An order and its answer.

    @ivar over: fires when the connection is gone.
    @param hear: is given the order, and ends the call.
    """

    transport: ITCPTransport
    delimiter = b"\n"
    MAX_LENGTH = LONGEST

    def __init__(self, clock: IReactorTime, hear: Callable[[_Call, bytes], None]) -> None:
        self._clock = clock
        self.over: OneShot[None] = OneShot()
        self._hear: Callable[[_Call, bytes], None] | None = hear

    def callLater(self, period: float, func: Callable[[], None]) -> IDelayedCall:
        return self._clock.callLater(period, func)

    def connectionMade(self) -> None:
        self.setTimeout(PATIENCE)

    def connectionLost(self, reason: object = None) -> None:
        self.setTimeout(None)
        self.over.succeed(None)

    def timeoutConnection(self) -> None:
        self.transport.abortConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        self.transport.abortConnection()

    def lineReceived(self, line: bytes) -> None:
        # One order a call: what comes after it is not read.
        hear, self._hear = self._hear, None
        if hear is not None:
            # Some orders take their time.
            self.setTimeout(None)
            hear(self, line)

    def say(self, answer: bytes) -> None:
        """Answer, if anybody is still there to be answered."""
        if not self.over.fired:
            self.setTimeout(PATIENCE)
            self.sendLine(answer)
