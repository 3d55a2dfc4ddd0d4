"""Messages between their event and the broker's confirmation, in order and in bounds."""

from __future__ import annotations

from collections import deque

from tcworker.embedded.outbox import Message


class Backlog:
    """First those that are sent and not confirmed, behind them those that are still to be sent.

    @param most: how many may wait at the same time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Message] = deque()
        self._sent: dict[int, Message] = {}
        self._taken = 0

    def __len__(self) -> int:
        return len(self._sent) + len(self._waiting)

    @property
    def unconfirmed(self) -> int:
        """How many are sent and not confirmed."""
        return len(self._sent)

    def add(self, message: Message) -> int:
        """Let a message wait behind all others; gives how many had to go for it."""
        self._waiting.append(message)
        if len(self._waiting) <= self._most:
            return 0
        # Many at once: whoever logs this does not want a line for each.
        going = max(1, self._most // 100)
        for _ in range(going):
            self._waiting.popleft()
        return going

    def take(self) -> tuple[int, Message] | None:
        """Give the next one to be sent, with a number to confirm it by; C{None} when all are sent."""
        if not self._waiting:
            return None
        self._taken += 1
        self._sent[self._taken] = self._waiting.popleft()
        return self._taken, self._sent[self._taken]

    def confirm(self, number: int) -> None:
        """One is with the broker, or is given up: it need not be sent again."""
        self._sent.pop(number, None)

    def rewind(self) -> None:
        """All that is not confirmed is to be sent again, before what has not been sent at all."""
        self._waiting.extendleft(reversed(self._sent.values()))
        self._sent.clear()
