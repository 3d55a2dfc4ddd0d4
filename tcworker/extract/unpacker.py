"""A child that unpacks something, as the worker sees it."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

from tcworker.errors import InternalError, ResourceUnavailable, TaskError, TaskFailed
from tcworker.extract.child import main
from tcworker.extract.memory import address_space
from tcworker.extract.order import (
    DISK,
    LOADED,
    RIGHTS,
    Answer,
    Extracted,
    ExtractionLimits,
    Order,
    Owner,
    Trouble,
    read_answer,
)
from tcworker.interfaces import ExitStatus
from tcworker.process import IReactor, spawn
from tcworker.waiting import OneShot

T = TypeVar("T")

_log = Logger()

_OUT = 3

ADVICE = (
    "the archive must be made anew, whole and without that, and the task name the new one; ordinary files, folders and "
    "links that stay within are always taken"
)
"""Of whatever kind its fault is: nothing that the task does can mend it."""


def new_order(form: str, limits: ExtractionLimits, owner: Owner | None, *, into_folder: bool, again: bool) -> Order:
    """Say what a child is to do."""
    path = tuple(place for place in sys.path if os.path.isabs(place))
    limits = limits._replace(memory=min(limits.memory, address_space(form)))
    return Order(form, into_folder, owner, limits, again, path)


class Unpacker:
    """One child.

    @param source: a descriptor that it reads; @param target: that of the folder or file that it fills. Both stay the
        caller's, who may close them at once.
    @param place: what the target is, for errors.

    Raises L{InternalError} when it cannot be started.
    """

    def __init__(self, reactor: IReactor, order: Order, source: int, target: int, place: str) -> None:
        self._clock, self._order, self._place = reactor, order, place
        self._answer: Answer | None = None
        self._loaded: OneShot[None] = OneShot()
        # No variable of ours goes along: a stranger's archive may take it over.
        program = [sys.executable, "-I", "-S", os.path.abspath(main.__file__), order.to_text()]
        try:
            self._child = spawn(reactor, program, {}, {0: source, _OUT: target}, self._says)
        except OSError as error:
            raise InternalError(f"the program that unpacks archives cannot be started: {error.strerror}") from error
        self._child.when_ended().addCallback(lambda ended: self._loaded.succeed(None))

    def when_loaded(self) -> Deferred[None]:
        """Fire when it has its program, or has ended."""
        return self._loaded.wait()

    async def result(self) -> Extracted:
        """Wait for its end. Fails with a L{TaskError} if it did not come through."""
        ended = await self._child.when_ended()
        if isinstance(self._answer, Extracted) and ended.success:
            return self._answer
        raise self._trouble(ended)

    async def in_time(self, work: Deferred[T]) -> T:
        """Wait for something that it must do, as long as it may take. Fails with L{TaskFailed} after that."""
        try:
            return await work.addTimeout(self._order.limits.seconds, self._clock)
        except TimeoutError as error:
            await self.end()
            raise self._too_slow() from error

    async def end(self) -> None:
        """Kill it; returns when it is gone. Repeatable."""
        self._child.kill()
        await self._child.when_ended()

    def _says(self, line: str) -> None:
        if line == LOADED:
            self._loaded.succeed(None)
        elif (answer := read_answer(line)) is not None:
            self._answer = answer
        else:
            _log.warn("while unpacking into {place}: {line}", place=self._place, line=line)

    def _trouble(self, ended: ExitStatus) -> TaskError:
        what = f"cannot unpack this {self._order.form}"
        match self._answer:
            case Trouble(kind=kind, text=text) if kind == DISK:
                full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return ResourceUnavailable.no_disk(f"{what}: no room for {text}", self._place, full)
            case Trouble(kind=kind, text=text) if kind == RIGHTS:
                return InternalError(f"the program that unpacks archives cannot give up its rights: {text}")
            case Trouble(text=text):
                return TaskFailed(f"{what}: {text}", ADVICE)
        if ended.signal == signal.SIGXCPU:
            return self._too_slow()
        if ended.signal == signal.SIGKILL:
            return ResourceUnavailable(f"{what}: the program for it was killed, perhaps for want of memory")
        return TaskFailed(f"{what}: it made the program for it end with {ended.signal or ended.status}")

    def _too_slow(self) -> TaskFailed:
        seconds = self._order.limits.seconds
        return TaskFailed(f"cannot unpack this {self._order.form}: that takes longer than {seconds:g} s")
