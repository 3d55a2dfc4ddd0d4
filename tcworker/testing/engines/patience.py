"""Waiting in tests: for a while, and then with a complaint that says what was there instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import TestCase

from tcworker.waiting import pause

T = TypeVar("T")

if TYPE_CHECKING:
    Base = TestCase
else:
    # Were the suite itself a TestCase, trial would run it wherever it is imported.
    Base = object


class Patience(Base):
    """What a test case waits with."""

    reactor: ClassVar[IReactorTime]

    async def soon(self, waiting: Deferred[T], complaint: Callable[[], str], seconds: float = 20) -> T:
        """Wait, but not for long."""
        try:
            return await waiting.addTimeout(seconds, self.reactor)
        except TimeoutError:
            raise self.failureException(f"nothing came in {seconds} seconds: {complaint()}") from None

    async def fails(self, waiting: Deferred[T], error: type[Exception], seconds: float = 20) -> Exception:
        """Wait for a failure of a kind, and give it."""
        try:
            result = await self.soon(waiting, lambda: f"neither {error.__name__} nor anything else", seconds)
        except error as failure:
            return failure
        raise self.failureException(f"{error.__name__} expected, but it succeeded with {result!r}")

    async def until(self, true: Callable[[], object], complaint: Callable[[], object], seconds: float = 20) -> None:
        """Wait until something is true, but not for long."""
        await until(self.reactor, true, complaint, seconds)


async def until(
    reactor: IReactorTime, true: Callable[[], object], complaint: Callable[[], object], seconds: float
) -> None:
    """Wait until something is true. Raises C{AssertionError} with the complaint when it is not after some seconds."""
    end = reactor.seconds() + seconds
    while not true():
        if reactor.seconds() > end:
            raise AssertionError(f"not so after {seconds} seconds: {complaint()}")
        await pause(reactor, 0.02)
