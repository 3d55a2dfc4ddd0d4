"""What the services tell of what happened: the messages that a real deployment publishes by pulse."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from twisted.logger import Logger

from tcworker.interfaces import JSON, Unsubscribe


@dataclass(frozen=True)
class Message:
    """One message (contracts of the queue, 2.1 to 2.4).

    @ivar service: whose it is, for example C{queue}.
    @ivar exchange: what it tells, for example C{task-pending}.
    @ivar routes: of the task, without C{route.}.
    """

    service: str
    exchange: str
    routing_key: str
    payload: JSON
    routes: Sequence[str] = ()

    @property
    def exchange_name(self) -> str:
        """Of the exchange, as the broker knows it."""
        return f"exchange/taskcluster-{self.service}/v1/{self.exchange}"


Part = Callable[[sqlite3.Connection, Message], None]
"""A job that is part of the transaction that a message tells of."""


class Outbox:
    """Gives every message to all who listen, in the order in which things happened."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._listeners: list[Callable[[Message], None]] = []
        self._log = Logger()

    def join(self, part: Part) -> None:
        """Be part of the transactions of the queue that there are messages of, from now on and for good.

        For what must not be lost: whoever listens hears of nothing any more if the process dies after the commit.
        What a part raises undoes all of the transaction.
        """
        self._parts.append(part)

    def complete(self, connection: sqlite3.Connection, messages: Sequence[Message]) -> None:
        """Do what else is part of a transaction, before its commit and in the database's thread."""
        for message in messages:
            for part in self._parts:
                part(connection, message)

    def listen(self, call: Callable[[Message], None]) -> Unsubscribe:
        """Be called with each message from now on, until the function that is given back is called."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call)

    def send(self, messages: Iterable[Message]) -> None:
        """Tell what happened; a listener's failure is logged and is nobody else's."""
        for message in messages:
            for call in tuple(self._listeners):
                try:
                    call(message)
                except Exception:
                    self._log.failure("somebody who listens for {exchange} failed", exchange=message.exchange)
