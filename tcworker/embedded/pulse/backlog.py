"""Messages between their event and the broker's confirmation, in order and in bounds."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass

from tcworker.embedded.outbox import Message

OVERHEAD = 500
"""Bytes of memory that a message takes beside what it says."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it goes to a broker: it takes half of the memory, and many may wait.

    @ivar exchange: its whole name.
    @ivar copies: the routing keys in its C{CC} header.
    """

    exchange: str
    routing_key: str
    copies: tuple[str, ...]
    body: bytes

    @property
    def size(self) -> int:
        """About so many bytes of memory it takes."""
        return len(self.body) + len(self.routing_key) + sum(map(len, self.copies)) + OVERHEAD


def letter_of(message: Message) -> Letter:
    """Encode a message (contracts of the queue, 2.2 and 2.4)."""
    copies = tuple(f"route.{route}" for route in message.routes)
    return Letter(message.exchange_name, message.routing_key, copies, json.dumps(message.payload).encode())


class Backlog:
    """First those that are sent and not confirmed, behind them those that are still to be sent.

    @param most: how many may wait at the same time.
    @param largest: how many bytes they may take at the same time.
    """

    def __init__(self, most: int, largest: int) -> None:
        self._most = most
        self._largest = largest
        self._size = 0
        self._waiting: deque[Letter] = deque()
        self._sent: dict[int, Letter] = {}
        self._taken = 0

    def __len__(self) -> int:
        return len(self._sent) + len(self._waiting)

    @property
    def unconfirmed(self) -> int:
        """How many are sent and not confirmed."""
        return len(self._sent)

    def add(self, letter: Letter) -> int:
        """Let one wait behind all others; gives how many had to go for it."""
        self._waiting.append(letter)
        self._size += letter.size
        if len(self._waiting) <= self._most and self._size <= self._largest:
            return 0
        return self._make_room()

    def _make_room(self) -> int:
        # Many at once: whoever logs this does not want a line for each.
        most, largest = self._most - max(0, self._most // 100 - 1), self._largest * 99 // 100
        before = len(self._waiting)
        # The new one stays, however large it is.
        while len(self._waiting) > 1 and (len(self._waiting) > most or self._size > largest):
            self._size -= self._waiting.popleft().size
        return before - len(self._waiting)

    def take(self) -> tuple[int, Letter] | None:
        """Give the next one to be sent, with a number to confirm it by; C{None} when all are sent."""
        if not self._waiting:
            return None
        self._taken += 1
        self._sent[self._taken] = self._waiting.popleft()
        return self._taken, self._sent[self._taken]

    def confirm(self, number: int) -> None:
        """One is with the broker, or is given up: it need not be sent again."""
        if (letter := self._sent.pop(number, None)) is not None:
            self._size -= letter.size

    def rewind(self) -> None:
        """All that is not confirmed is to be sent again, before what has not been sent at all."""
        self._waiting.extendleft(reversed(self._sent.values()))
        self._sent.clear()
