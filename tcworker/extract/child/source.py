"""What comes in."""

from __future__ import annotations

import os

_PIECE = 128 * 1024


class Source:
    """Reads a descriptor to its end.

    @ivar taken: bytes so far.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self.taken = descriptor, 0

    def read(self) -> bytes:
        """Give the next piece, nothing at the end."""
        piece = os.read(self._descriptor, _PIECE)
        self.taken += len(piece)
        return piece
